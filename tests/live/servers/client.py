# SPDX-License-Identifier: Apache-2.0
"""A client: reads [[method, path, body size, headers], ...] on stdin, of which the last two may be
left out; prints `METHOD PATH STATUS` an answer.

Modes: urllib (a connection a request), keep (one connection for all), step (keep, and waits for a
line on stdin before each further request; the requests come as the first line).
"""

import http.client
import json
import sys
import urllib.error
import urllib.request


def by_urllib(port, method, path, body, headers):
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as fault:
        fault.read()
        return fault.code


def by_connection(connection, method, path, body, headers):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def main():
    mode, port = sys.argv[1], int(sys.argv[2])
    requests = json.loads(sys.stdin.readline() if mode == "step" else sys.stdin.read())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number, (method, path, *rest) in enumerate(requests):
        body = b"x" * rest[0] if rest else None
        headers = rest[1] if len(rest) > 1 else {}
        if mode == "step" and number:
            sys.stdin.readline()
        if mode == "urllib":
            status = by_urllib(port, method, path, body, headers)
        else:
            status = by_connection(connection, method, path, body, headers)
        print(method, path, status, flush=True)


if __name__ == "__main__":
    main()
