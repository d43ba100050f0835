# SPDX-License-Identifier: Apache-2.0
"""A server that says by itself whose each request is: X-User-ID, else sub of a bearer token.

Its log gets [path, user or null] as JSON, a line a request, before the answer goes out. Prints its
port.
"""

import base64
import http.server
import json
import re
import sys


def refuse(constant):
    raise ValueError(constant)


def claim_of(authorization, name="sub"):
    """Read as RFC 7515 and 7519 say, but never verified."""
    found = re.fullmatch(r"bearer +([^.]+)\.([A-Za-z0-9_-]*)\.([^.]*)", authorization, re.I)
    if not found:
        return None
    part = found.group(2)
    try:
        payload = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        if base64.urlsafe_b64encode(payload).rstrip(b"=").decode() != part:
            return None
        claims = json.loads(payload.decode(), parse_constant=refuse)
    except ValueError:
        return None
    value = claims.get(name) if isinstance(claims, dict) else None
    return value if isinstance(value, str) and value else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def do_GET(self):
        user = self.headers.get("X-User-ID") or claim_of(self.headers.get("Authorization", ""))
        with open(sys.argv[1], "a") as log:
            print(json.dumps([self.path, user]), file=log)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
