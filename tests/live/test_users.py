# SPDX-License-Identifier: Apache-2.0
"""user_id: from headers and tokens at both ends, hashed or not, and no byte of a token anywhere.

What is expected is what the server says of its own requests.
"""

import base64
import hashlib
import hmac
import http.client
import json
import random
import subprocess
import sys

from sonde_test import HERE, LIMIT, PYTHON, SONDE, check, need, same, until
from websocket_peers import figures, lines_of, python_peer, url_of

sys.path.append(str(HERE / "servers"))
from users import claim_of

KEY = b"a key that nobody else has"
HEADER = '{"alg":"RS256","typ":"JWT"}'
SIGNATURE = "c2lnbmF0dXJlLXRoYXQtbm9ib2R5LXZlcmlmaWVz"
LONGEST = 64  # bytes of an id that is written


def encode(text):
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def token(payload, header=HEADER):
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return f"{encode(header)}.{encode(text)}.{SIGNATURE}"


def bearer(payload):
    return {"Authorization": "Bearer " + token(payload)}


def start_users(live):
    log = live.temp / "users.log"
    log.touch()
    _, port = live.server(PYTHON, HERE / "servers/users.py", log)
    return port, lambda: dict(json.loads(line) for line in log.read_text().splitlines())


def get_all(port, requests):
    """[path, headers] on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    for path, headers in requests:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        same("status", answer.status, 204)
    connection.close()


def users_of(agent, role):
    lines = agent.lines(role=role, logger="sonde.http")
    return {line["path"]: line.get("user_id") for line in lines}


def expect_users(agent, expected, count=1):
    """Each path has so many lines in each role, all with the user that is expected, or none."""
    for role in ("server", "client"):
        lines = lambda: agent.lines(role=role, logger="sonde.http")
        until(f"{role} lines", lambda: len(lines()) >= count * len(expected))
        same(f"{role} lines", len(lines()), count * len(expected))
        for line in lines():
            same(f"{role} of {line['path']}", line.get("user_id"), expected[line["path"]])


def outputs(agent):
    """Everything that the agent says, to whomever."""
    openmetrics = {"Accept": "application/openmetrics-text"}
    answers = [agent.get("/metrics"), agent.get("/metrics", openmetrics), agent.get("/")]
    said = [agent.out.read_bytes(), agent.err.read_bytes()]
    return b"\n".join(said + [body for _, _, body in answers])


def check_unsaid(agent, words):
    """No part of a token, as it was sent or decoded, and no other word either."""
    said = outputs(agent).decode()
    parts = {part for word in words for part in word.replace("Bearer ", "").split(".")}
    for part in parts | {SIGNATURE, encode(HEADER), '"alg"', "RS256", "Bearer"}:
        check(len(part) < 5 or part not in said, f"{part} is in what the agent says")


def check_quiet(agent):
    """Nothing on stderr but information."""
    lines = [json.loads(line) for line in agent.err.read_text().splitlines()]
    same("complaints", [line for line in lines if line["level"] not in ("INFO", "DEBUG")], [])


def some_requests(prefix):
    payloads = [{"sub": "ann"}, {"sub": "a\u00fc\u4f60\U0001f600", "iat": 1}, {"sub": 42}, {}]
    yield f"{prefix}/none", {}
    yield f"{prefix}/header", {"X-User-ID": "bob"}
    yield f"{prefix}/both", {"x-user-id": "carl", **bearer({"sub": "ann"})}
    yield f"{prefix}/basic", {"Authorization": "Basic YW5uOnNlY3JldA=="}
    for number, payload in enumerate(payloads):
        yield f"{prefix}/token/{number}", bearer(payload)
    yield f"{prefix}/none/again", {}


def test_both_ends_and_a_proxy(live):
    """curl, nginx, Python: four ends see each request, and agree with the server."""
    need("nginx", "curl")
    backend, users = start_users(live)
    _, port = live.nginx(HERE / "servers/nginx_proxy.conf", ORIGIN=backend)
    agent = live.agent("--log-level=debug")
    requests = list(some_requests(live.prefix))
    for path, headers in requests:
        words = [word for pair in headers.items() for word in ("-H", ": ".join(pair))]
        live.run("curl", "-sS", *words, f"http://127.0.0.1:{port}{path}")
    same("requests at the server", len(users()), len(requests))
    same("users at the server", len([user for user in users().values() if user]), 4)
    expect_users(agent, users(), 2)
    check_unsaid(agent, [h.get("Authorization", "") for _, h in requests])
    check_quiet(agent)
    agent.stop()


def test_one_connection(live):
    """Each request of a connection has a user of its own."""
    port, users = start_users(live)
    agent = live.agent()
    requests = list(some_requests(live.prefix))
    requests += [(f"{live.prefix}/n{n}", bearer({"sub": f"user-{n}"})) for n in range(100)]
    get_all(port, requests)
    same("requests at the server", len(users()), len(requests))
    expect_users(agent, users())
    agent.stop()


def garbage(count):
    """Tokens with something wrong in them, or not."""
    draw = random.Random(20261122)
    printable = [chr(c) for c in range(0x21, 0x7F)]
    for number in range(count):
        payload = json.dumps({"iss": "x", "sub": f"user-{number}", "roles": [{"sub": "no"}]})
        kind = number % 4
        if kind == 0:
            text = list(payload)
            text[draw.randrange(len(text))] = draw.choice(printable)
            yield token("".join(text))
        elif kind == 1:
            text = list(token(payload))
            text[draw.randrange(len(text))] = draw.choice(printable)
            yield "".join(text)
        elif kind == 2:
            text = token(payload)
            yield text[: draw.randrange(1, len(text))]
        else:
            yield "".join(draw.choices(printable, k=draw.randrange(1, 400)))


def test_garbage_tokens(live):
    """The server and the agent make the same of each; nothing is said of those that say nothing."""
    port, users = start_users(live)
    agent = live.agent("--log-level=debug")
    tokens = list(garbage(800))
    paths = [f"{live.prefix}/{n}" for n in range(len(tokens))]
    get_all(port, [(p, {"Authorization": "Bearer " + t}) for p, t in zip(paths, tokens)])
    same("requests at the server", len(users()), len(tokens))
    known = [user for user in users().values() if user]
    check(50 < len(known) < 500, f"{len(known)} users are no test")
    expect_users(agent, users())
    check_unsaid(agent, [text for text in tokens if claim_of("Bearer " + text)])
    check_quiet(agent)
    agent.stop()


def hash_of(key, user):
    return user and hmac.new(key, user.encode(), hashlib.sha256).hexdigest()[:16]


def hashes(live, port, *options):
    """{path: user_id} of a life of the agent."""
    agent = live.agent(*options)
    get_all(port, some_requests(live.prefix))
    expected = len(list(some_requests(live.prefix)))
    until("lines", lambda: len(users_of(agent, "server")) == expected)
    until("lines", lambda: len(users_of(agent, "client")) == expected)
    same("both ends", users_of(agent, "server"), users_of(agent, "client"))
    said = outputs(agent).decode()
    for name in ("ann", "bob", "carl"):
        check(f'"{name}"' not in said, f"{name} is in what the agent says")
    check_unsaid(agent, [KEY.decode()])
    agent.stop()
    return agent, users_of(agent, "server")


def test_hash_with_a_key_file(live):
    """The same over restarts, with or without a newline, and what anybody with the key computes."""
    port, users = start_users(live)
    file, other = live.temp / "key", live.temp / "other"
    file.write_bytes(KEY)
    options = ["--user-id=hash", f"--user-id-key-file={file}"]
    agent, first = hashes(live, port, *options)
    same("hashes", first, {path: hash_of(KEY, user) for path, user in users().items()})
    check("key of this start" not in agent.err.read_text(), "a key was drawn")
    file.write_bytes(KEY + b"\n")
    same("after a restart", hashes(live, port, *options)[1], first)
    other.write_bytes(KEY + b"!")
    second = hashes(live, port, "--user-id=hash", f"--user-id-key-file={other}")[1]
    same("with another key", second, {p: hash_of(KEY + b"!", u) for p, u in users().items()})


def test_hash_with_a_drawn_key(live):
    """One user has one hash in a life of the agent, and another one in the next."""
    port, _ = start_users(live)
    one, first = hashes(live, port, "--user-id=header,jwt,hash")
    two, second = hashes(live, port, "--user-id=hash")
    for agent in (one, two):
        same("warnings", agent.err.read_text().count("key of this start"), 1)
    known = {path for path, user in first.items() if user}
    same("who is known", {path for path, user in second.items() if user}, known)
    one, two = ({hashes[path] for path in known} for hashes in (first, second))
    same("hashes in common", one & two, set())
    same("users", len(one), 4)


def test_off(live):
    port, users = start_users(live)
    agent = live.agent("--user-id=off")
    requests = list(some_requests(live.prefix))
    get_all(port, requests)
    expect_users(agent, {path: None for path, _ in requests})
    agent.stop()


def test_other_header_and_claim(live):
    port, _ = start_users(live)
    agent = live.agent("--user-id=header:X-Auth-Request-User,jwt:email")
    requests = [
        (f"{live.prefix}/header", {"X-Auth-Request-User": "dora", "X-User-ID": "bob"}),
        (f"{live.prefix}/claim", bearer({"sub": "ann", "email": "ann@example.com"})),
        (f"{live.prefix}/none", {"X-User-ID": "bob", **bearer({"sub": "ann"})}),
    ]
    get_all(port, requests)
    expected = {"header": "dora", "claim": "ann@example.com", "none": None}
    expect_users(agent, {f"{live.prefix}/{name}": user for name, user in expected.items()})
    agent.stop()


def test_long(live):
    """An id is written whole or not at all; a token that is not in the head's capture is none."""
    port, _ = start_users(live)
    long_token = bearer({"roles": ["x" * 700], "sub": "ann"})
    requests = [
        (f"{live.prefix}/fits", {"X-User-ID": "f" * LONGEST}),
        (f"{live.prefix}/longer", {"X-User-ID": "l" * (LONGEST + 1)}),
        (f"{live.prefix}/token/longer", bearer({"sub": "t" * (LONGEST + 1)})),
        (f"{live.prefix}/token/cut", long_token),
    ]
    users = ["f" * LONGEST, None, None, None]
    expected = {path: user for (path, _), user in zip(requests, users)}
    for options in ([], ["--capture-bytes=4096"]):
        agent = live.agent(*options)
        get_all(port, requests)
        if options:
            expected[f"{live.prefix}/token/cut"] = "ann"
        expect_users(agent, expected)
        check_unsaid(agent, [long_token["Authorization"], "x" * 10, "l" * 10, "t" * 10])
        agent.stop()


def test_websockets(live):
    """All from one address: who comes back is told by the user; both lines name him."""
    server, client = python_peer(live, "server"), python_peer(live, "client")
    agent = live.agent()
    visits = [{"X-User-ID": "bob"}, bearer({"sub": "ann"}), bearer({"sub": "eve"}), {}]
    visits += [bearer({"sub": "ann"}), {"X-User-ID": "ann"}, {}, bearer({"sub": "fred"})]
    users = ["bob", "ann", "eve", None, "ann", "ann", None, "fred"]
    back = [False, False, False, False, True, True, True, False]
    for number, headers in enumerate(visits):
        url = url_of(live, server.port, f"/visit/{number}")
        client.ask("open", url=url, headers=list(headers.items()))
        client.ask("close")
        server.ask("wait")
        closed = {"closed 1000 client": number + 1}
        of = lambda: figures(agent.metrics(), "server", server.service)
        until("the close", lambda: closed.items() <= of().items())
    same("reconnects", of().get("reconnects"), sum(back))
    for role in ("server", "client"):
        for what in ("open", "close"):
            until("lines", lambda: len(lines_of(agent, what, role=role)) == len(users))
            lines = {line["path"]: line for line in lines_of(agent, what, role=role)}
            lines = [lines[f"{live.prefix}/visit/{n}"] for n in range(len(users))]
            same(f"{role} users at {what}", [line.get("user_id") for line in lines], users)
            if role == "server":
                same("coming back", [line.get("reconnect", False) for line in lines], back)
    check_unsaid(agent, [headers.get("Authorization", "") for headers in visits])
    agent.stop()


def test_refused_options(live):
    short = live.temp / "short"
    short.write_bytes(b"too short\n")
    for words in (
        ["--user-id=header:Authorization"],
        ["--user-id=hash", f"--user-id-key-file={live.temp}/none"],
        ["--user-id=hash", f"--user-id-key-file={short}"],
        [f"--user-id-key-file={short}"],
    ):
        result = subprocess.run([SONDE, *words], capture_output=True, text=True, timeout=LIMIT)
        same(f"exit status with {words}", result.returncode, 2)
        same(f"stdout with {words}", result.stdout, "")
        same(f"lines on stderr with {words}", result.stderr.count("\n"), 1)
