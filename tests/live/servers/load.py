# SPDX-License-Identifier: Apache-2.0
"""A steady sequential load over one connection: prints `N STARTED_NS ENDED_NS` for each request."""

import http.client
import sys
import time


def main():
    port, prefix = int(sys.argv[1]), sys.argv[2]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    number = 0
    while True:
        started = time.monotonic_ns()
        connection.request("GET", f"{prefix}/{number}")
        connection.getresponse().read()
        print(number, started, time.monotonic_ns(), flush=True)
        number += 1
        time.sleep(0.001)


if __name__ == "__main__":
    main()
