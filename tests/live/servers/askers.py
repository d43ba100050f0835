# SPDX-License-Identifier: Apache-2.0
"""Asks PORT for PATH/FIRST to PATH/LAST over COUNT connections; prints how many were good."""

import http.client
import queue
import sys
import threading


def ask(port, path, numbers, answers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while True:
        try:
            number = numbers.get_nowait()
        except queue.Empty:
            return connection.close()
        connection.request("GET", f"{path}/{number}")
        answer = connection.getresponse()
        answer.read()
        answers.append(answer.status)


def main():
    port, path, first, last, count = sys.argv[1:]
    numbers, answers = queue.Queue(), []
    for number in range(int(first), int(last) + 1):
        numbers.put(number)
    arguments = int(port), path, numbers, answers
    threads = [threading.Thread(target=ask, args=arguments) for _ in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(answers.count(200))


if __name__ == "__main__":
    main()
