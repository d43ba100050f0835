# SPDX-License-Identifier: Apache-2.0
"""A trivial forward proxy for GET: takes an absolute-form target, asks the origin, passes it on."""

import http.client
import http.server
import urllib.parse


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        origin = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        origin.request("GET", url.path)
        answer = origin.getresponse()
        body = answer.read()
        origin.close()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    print(server.server_address[1], flush=True)
    server.serve_forever()
