// SPDX-License-Identifier: Apache-2.0
// As calls.py, on the JDK's own server with a pool of 100 threads. Prints its port.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URL;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.Executors;

class Calls {
	static final String PREFIX = System.getenv("PREFIX"), ORIGIN = System.getenv("ORIGIN");
	static final String TIMER = System.getenv("TIMER");

	static void ask(String path) throws IOException {
		URL url = new URL("http://127.0.0.1:" + ORIGIN + PREFIX + path);
		HttpURLConnection connection = (HttpURLConnection) url.openConnection();
		connection.getInputStream().readAllBytes();
	}

	static void answer(HttpExchange exchange) throws IOException {
		String[] words = exchange.getRequestURI().getPath().substring(PREFIX.length() + 1).split("/");
		boolean tail = words[0].equals("tail");
		if (!tail)
			ask("/b/" + words[1]);
		exchange.sendResponseHeaders(200, 5);
		exchange.getResponseBody().write("fine\n".getBytes());
		exchange.close();
		if (tail)
			ask("/after/" + words[1]);
	}

	public static void main(String[] words) throws IOException {
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
		server.createContext(PREFIX, Calls::answer);
		server.setExecutor(Executors.newFixedThreadPool(100));
		server.start();
		System.out.println(server.getAddress().getPort());
		if (TIMER == null)
			return;
		long period = (long) (Double.parseDouble(TIMER) * 1000);
		new Timer().schedule(new TimerTask() {
			int number;

			public void run() {
				try {
					ask("/t/" + number++);
				} catch (IOException fault) {
				}
			}
		}, period, period);
	}
}
