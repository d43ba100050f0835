# SPDX-License-Identifier: Apache-2.0
"""Runs the test functions of a folder's test_*.py in turn: all, or those named by part of a name,
where ^ and $ stand for its begin and end.

One line a test: ok, FAIL or skip, the name, the reason. With REQUIRE_LIVE=1 a skip fails too.
"""

import importlib
import os
import signal
import traceback

import sonde_test

# Where a kernel runs no tracing programs on the back of some process, ends of connections go unseen
# now and then, and a test that counts to the last one fails though nothing is broken.
SECOND_TRIES = 2  # in a whole run
TEST_LIMIT = 120  # seconds; a test that hangs fails


def find_tests(folder, words):
    for path in sorted(folder.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, function in list(vars(module).items()):
            full = f"{path.stem[5:]}.{name[5:]}"
            wanted = not words or any(word in f"^{full}$" for word in words)
            if name.startswith("test_") and wanted:
                yield full, function


def on_alarm(*_):
    raise sonde_test.Failure(f"still running after {TEST_LIMIT} s")


def run_one(function, why_not):
    """(word, reason) of one test; why_not() has a reason if none of them can run."""
    reason = why_not()
    if reason:
        return "skip", reason
    signal.alarm(TEST_LIMIT)
    try:
        with sonde_test.Live() as live:
            function(live)
        return "ok", ""
    except sonde_test.Skip as skip:
        return "skip", str(skip)
    except sonde_test.Failure as fault:
        return "FAIL", str(fault)
    except Exception as fault:
        if os.environ.get("VERBOSE"):
            traceback.print_exc()
        where = traceback.extract_tb(fault.__traceback__)[-1]
        return "FAIL", f"{type(fault).__name__}: {fault} ({where.filename}:{where.lineno})"
    finally:
        signal.alarm(0)


def run_twice(name, function, why_not, tries):
    """As run_one(). A failed one may try again, `tries` times in a whole run, and says so."""
    word, reason = run_one(function, why_not)
    if word == "FAIL" and tries:
        print(f"# {name} failed and tries again: {reason}", flush=True)
        tries.pop()
        word, reason = run_one(function, why_not)
    return word, reason


def main(folder, words, why_not=lambda: None):
    signal.signal(signal.SIGALRM, on_alarm)
    sonde_test.exit_on_sigterm()
    totals = {"ok": 0, "FAIL": 0, "skip": 0}
    tries = [None] * SECOND_TRIES
    for name, function in find_tests(folder, words):
        word, reason = run_twice(name, function, why_not, tries)
        totals[word] += 1
        print(f"{word:4} {name}" + (f": {reason}" if reason else ""), flush=True)
    print(f"{totals['ok']} passed, {totals['FAIL']} failed, {totals['skip']} skipped")
    skips_fail = os.environ.get("REQUIRE_LIVE") == "1" and totals["skip"]
    return 1 if totals["FAIL"] or skips_fail or not sum(totals.values()) else 0
