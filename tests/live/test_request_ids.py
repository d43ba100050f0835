# SPDX-License-Identifier: Apache-2.0
"""Request ids that no header carries: the same at both ends, through NAT, of no two requests.

Client and server stand in network namespaces with a router between them that rewrites both
addresses, or are two sockets of this process, so that the test decides which bytes each read and
each write has. Every request has a path of its own, by which its two lines are found.
"""

import collections
import http.client
import http.server
import itertools
import re
import select
import socket
import threading

from netns import SERVICE_PORT, make_nodes
from sonde_test import Failure, check, same, until
from test_hostile import OK, both_ends, exchange, send
from test_raw import get
from websocket_peers import lines_of, python_peer, settle, url_of

ID = re.compile(r"[0-9a-f]{16}")
THREADS = 8
REQUESTS = 400  # of each thread


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as a path says: of a length, in chunks, empty, or ended by the close."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = int(self.path.rpartition("/")[2]) % 4
        self.send_response(204 if kind == 2 else 200)
        if kind == 0:
            self.send_header("Content-Length", "5")
        elif kind == 1:
            self.send_header("Transfer-Encoding", "chunked")
        elif kind == 3 and self.headers.get("Connection") != "close":
            self.send_header("Content-Length", "70000")
        elif kind == 3:
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(kind)

    do_POST = do_HEAD = do_GET

    def send_body(self, kind):
        if kind == 1:
            for piece in (b"5\r\nhello\r\n", b"6\r\n world\r\n", b"0\r\n\r\n"):
                self.wfile.write(piece)
        elif kind != 2:
            self.wfile.write(b"hello" if kind == 0 else b"x" * 70000)

    def log_message(self, *args):
        pass


def start_server(live, node):
    """An HTTP server of threads in a node; returns the address of its service."""
    listener, address = node.listen()
    server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    threading.Thread(target=server.serve_forever, daemon=True).start()
    live.at_end(server.shutdown)
    return address


def ids_by_path(agent, role, source=None):
    """The id of each request that has one from this source, or from any."""
    lines = agent.lines(role=role, logger="sonde.http")
    same(f"{role} paths, each of one request", len({o["path"] for o in lines}), len(lines))
    wanted = [o for o in lines if source in (None, o["request_id_source"])]
    return {o["path"]: o["request_id"] for o in wanted}


def check_ids(agent, paths):
    """Both ends have named these requests by what TCP says, alike, and no two alike."""
    for role in ("client", "server"):
        until(f"{role} lines", lambda: paths <= set(ids_by_path(agent, role)))
    client, server = (ids_by_path(agent, role, "tcp") for role in ("client", "server"))
    same("requests that have no id from TCP", paths - set(client), set())
    apart = {path: (client[path], server.get(path)) for path in paths}
    apart = {path: pair for path, pair in apart.items() if pair[0] != pair[1]}
    check(not apart, f"{len(apart)} of {len(paths)} ids differ: {list(apart.items())[:4]}")
    wrong = [one for one in client.values() if not ID.fullmatch(one)]
    check(not wrong, f"no ids: {wrong[:4]}")
    same("ids", len({client[path] for path in paths}), len(paths))
    return set(client.values())


def in_threads(work):
    """Runs work(n) in THREADS threads; a failure of one is a failure."""
    faults = []

    def run(n):
        try:
            work(n)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise Failure(f"{len(faults)} clients failed, the first by {faults[0]!r}")


def client_of(node, address):
    connection = http.client.HTTPConnection(address, SERVICE_PORT, timeout=30)
    connection.sock = node.connect(address)
    return connection


def ask(connection, path, n, **headers):
    method = ("GET", "GET", "POST", "HEAD")[n // 4 % 4]
    connection.request(method, f"{path}/{n}", b"data" if method == "POST" else None, headers)
    connection.getresponse().read()


def ask_all(connections, paths, n):
    for connection, path in zip(connections, paths):
        ask(connection, path, n)


def paths_of(path, numbers):
    return {f"{path}/{n}" for n in numbers}


def test_keep_alive_through_nat(live):
    """Several connections at once, thousands of requests."""
    client, server = make_nodes(live, "client", "server")
    address = start_server(live, server)
    agent = live.agent("--ring-size=16MiB")

    def work(thread):
        connection = client_of(client, address)
        for n in range(REQUESTS):
            ask(connection, f"{live.prefix}/{thread}", n)
        connection.close()

    in_threads(work)
    paths = [paths_of(f"{live.prefix}/{thread}", range(REQUESTS)) for thread in range(THREADS)]
    check_ids(agent, set.union(*paths))
    check_rewritten(agent, server, address)


def check_rewritten(agent, server, address):
    """Neither end knows the other's address."""
    for role, expected in (("client", address), ("server", server.gateway)):
        peers = {line["peer"].rpartition(":")[0] for line in agent.lines(role=role)}
        same(f"peers of the {role}", peers, {expected})


def test_connection_each(live):
    """The last read takes the end of the stream with the end of the answer."""
    client, server = make_nodes(live, "client", "server")
    address = start_server(live, server)
    agent = live.agent()

    def work(thread):
        for n in range(20):
            connection = client_of(client, address)
            ask(connection, f"{live.prefix}/{thread}", n, Connection="close")
            connection.close()

    in_threads(work)
    paths = [paths_of(f"{live.prefix}/{thread}", range(20)) for thread in range(THREADS)]
    check_ids(agent, set.union(*paths))


def test_agent_restarted(live):
    """In the middle of connections that go on: each request that is wholly after it has one id."""
    client, server = make_nodes(live, "client", "server")
    address = start_server(live, server)
    connections = [client_of(client, address) for _ in range(THREADS)]
    all_ids, n = [], 0
    for path in ("/first", "/second", "/third"):
        agent = live.agent()
        ways = [f"{live.prefix}{path}/{i}" for i in range(THREADS)]
        for n in range(n, n + 40):
            ask_all(connections, ways, n)
        paths = {f"{way}/{i}" for way in ways for i in range(n - 39, n + 1)}
        all_ids += check_ids(agent, paths)
        agent.stop()
        n += 1
        ask_all(connections, ways, n)  # nobody sees it
    same("ids of all", len(set(all_ids)), len(all_ids))


def put(path, body, header=""):
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{header}\r\n"
    return head.encode(), body


def finish_raw(agent, count):
    """Paths are PREFIX/0 and up."""
    agent.stop()
    check_ids(agent, paths_of(agent.live.prefix, range(count)))


def test_end_of_the_stream_read_with_the_head(live):
    """It has a position of its own, which one read takes together with the bytes before it."""
    agent = live.agent()
    for n in range(0, 4, 2):
        with both_ends() as (client, server):
            client.sendall(get(f"{live.prefix}/{n}"))
            if n:
                client.shutdown(socket.SHUT_WR)
                ended(server)
            server.recv(65536)
            server.sendall(OK)
            server.close()
            ended(client)
            same("answer", client.recv(65536), OK)
        with both_ends() as (client, server):  # nothing answers
            client.sendall(get(f"{live.prefix}/{n + 1}"))
            client.shutdown(socket.SHUT_WR)
            ended(server)
            server.recv(65536)
            server.close()
            same("answer", client.recv(65536), b"")
    finish_raw(agent, 4)


def ended(end):
    poll = select.poll()
    poll.register(end, select.POLLRDHUP)
    check(poll.poll(30000), "the other end did not shut its side down")


def test_pipelined(live):
    """In one write or one each; the answers in one write or one each."""
    agent = live.agent()
    n = 0
    for together, answers in itertools.product((True, False), repeat=2):
        with both_ends() as (client, server):
            for count in (1, 5, 2, 20, 1):
                requests = [get(f"{live.prefix}/{i}") for i in range(n, n + count)]
                for message in [b"".join(requests)] if together else requests:
                    send(client, server, message)
                for message in [OK * count] if answers else [OK] * count:
                    send(server, client, message)
                n += count
    finish_raw(agent, n)


def test_pipelined_uploads(live):
    """Bodies of a length between them, on both sides."""
    agent = live.agent()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"y" * 3000
    with both_ends() as (client, server):
        for n in range(0, 20, 2):
            messages = put(f"{live.prefix}/{n}", b"x" * 100), put(f"{live.prefix}/{n + 1}", b"")
            send(client, server, b"".join(itertools.chain(*messages)))
            send(server, client, answer)
            send(server, client, answer)
    finish_raw(agent, 20)


def test_hidden_answers(live):
    """Answers that begin in the middle of a read are not seen; what is said of them is no guess."""
    agent = live.agent()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"y" * 3000
    with both_ends() as (client, server):
        for n in range(0, 40, 4):
            send(client, server, b"".join(get(f"{live.prefix}/{i}") for i in range(n, n + 3)))
            for _ in range(3):
                server.sendall(answer)
            left = 3 * len(answer)
            while left:
                left -= len(client.recv(left))
            exchange(client, server, get(f"{live.prefix}/{n + 3}"))
    agent.stop()
    client, server = (ids_by_path(agent, role, "tcp") for role in ("client", "server"))
    same("requests at the server", set(server), paths_of(live.prefix, range(40)))
    check(client, "no id at the client")
    wrong = {path: one for path, one in client.items() if one != server[path]}
    same("ids that the server does not have", wrong, {})


def test_answers_of_all_kinds(live):
    """Interim ones apart and together, heads in pieces, no body; one after the other."""
    agent = live.agent()
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    empty = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ways = [[OK], [interim + OK], [empty], [chunked], [hints + interim + OK]]
    ways += [[OK[:5], OK[5:20], OK[20:]], [chunked[:50], chunked[50:]]]
    path, n = live.prefix, 0
    with both_ends() as (client, server):
        for before, way, cut in itertools.product(
            ([], [interim], [hints, interim]), ways, (None, 1, 17)
        ):
            head, body = put(f"{path}/{n}", b"some", "Expect: 100-continue\r\n" * (n % 2))
            for piece in (head[:cut], head[cut:]) if cut else (head,):
                send(client, server, piece)
            for message in before:
                send(server, client, message)
            send(client, server, body)
            for message in way:
                send(server, client, message)
            n += 1
    finish_raw(agent, n)


def test_empty_lines_before_a_request(live):
    """Whoever reads them, in whatever piece."""
    agent = live.agent()
    with both_ends() as (client, server):
        for n in range(0, 8, 2):
            client.sendall(get(f"{live.prefix}/{n}") + b"\r\n")
            if n % 4:
                server.recv(65536)
            client.sendall(get(f"{live.prefix}/{n + 1}"))
            server.recv(65536)
            send(server, client, OK)
            send(server, client, OK)
    finish_raw(agent, 8)


def test_unanswered(live):
    agent = live.agent()
    for n in range(0, 9, 3):
        with both_ends() as ends:
            exchange(*ends, get(f"{live.prefix}/{n}"))
            exchange(*ends, get(f"{live.prefix}/{n + 1}"))
            send(*ends, get(f"{live.prefix}/{n + 2}"))
            ends[n % 2].close()
    finish_raw(agent, 9)


def test_known_to_one_end_only(live):
    """A unix socket has no positions that both ends see: each id is of its end alone."""
    agent = live.agent()
    client, server = socket.socketpair()
    with client, server:
        for n in range(5):
            exchange(client, server, get(f"{live.prefix}/{n}"))
    agent.stop()
    ids = [ids_by_path(agent, role, "local") for role in ("client", "server")]
    paths = paths_of(live.prefix, range(5))
    for one in ids:
        same("paths", set(one), paths)
    same("ids", len({*ids[0].values(), *ids[1].values()}), 10)


def test_websocket(live):
    """Its lines have the id of its handshake."""
    server, client = python_peer(live, "server"), python_peer(live, "client")
    agent = live.agent()
    client.ask("open", url=url_of(live, server.port), count=3)
    client.ask("talk", texts=[10])
    client.ask("close")
    settle(agent, server, server.ask("wait"))
    settle(agent, client, client.counts)
    agent.stop()
    said = collections.Counter()
    for peer in (server, client):
        lines = agent.lines(logger="sonde.http", role=peer.role, status=101)
        lines += lines_of(agent, "open", role=peer.role) + lines_of(agent, "close", role=peer.role)
        said.update((o["request_id"], o["request_id_source"]) for o in lines)
    same("lines of each id", list(said.values()), [6, 6, 6])
    same("sources", {source for _, source in said}, {"tcp"})
