# SPDX-License-Identifier: Apache-2.0
"""A client: reads [[method, path, body size], ...] on stdin, prints `METHOD PATH STATUS` an answer.

Modes: urllib (a connection a request), keep (one connection for all), step (keep, and waits for a
line on stdin before each further request; the requests come as the first line).
"""

import http.client
import json
import sys
import urllib.error
import urllib.request


def by_urllib(port, method, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as fault:
        fault.read()
        return fault.code


def by_connection(connection, method, path, body):
    connection.request(method, path, body)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def main():
    mode, port = sys.argv[1], int(sys.argv[2])
    requests = json.loads(sys.stdin.readline() if mode == "step" else sys.stdin.read())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number, (method, path, *size) in enumerate(requests):
        body = b"x" * size[0] if size else None
        if mode == "step" and number:
            sys.stdin.readline()
        if mode == "urllib":
            status = by_urllib(port, method, path, body)
        else:
            status = by_connection(connection, method, path, body)
        print(method, path, status, flush=True)


if __name__ == "__main__":
    main()
