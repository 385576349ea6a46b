# SPDX-License-Identifier: MIT
"""Reads meson's JSON for tools/dev test.

tally.py suites INTRO-TESTS.JSON     the suites that tests name, a line each; a test without a suite is an error
tally.py count TESTLOG.JSON FOLDER   "PASSED FAILED SKIPPED", then a line for each failure and each skipped test
"""

import json
import os
import re
import shlex
import sys

PASSED, SKIPPED = ("OK", "EXPECTEDFAIL"), ("SKIP",)


def suites(path):
    with open(path, encoding="utf-8") as f:
        tests = json.load(f)
    seen = []
    for test in tests:
        names = [s.split(":", 1)[1] for s in test["suite"] if ":" in s]
        # a test without a suite would never run: it shows up as a group of its own that is called so
        seen += [name for name in names or ["without-suite"] if name not in seen]
    return seen


def reason(test):
    """Why a test was skipped: its last line that says so, or its last line."""
    lines = [line.strip() for line in (test.get("stdout") or "").splitlines() + (test.get("stderr") or "").splitlines()]
    lines = [line for line in lines if line]
    said = [line for line in lines if "skip" in line.lower()] or lines
    return re.sub(r"^(\[?\s*)?skip(ped)?\W*", "", said[-1], flags=re.I) if said else "no reason given"


def note(test, folder):
    name = test["name"].split(":", 1)[-1].replace(" / ", "/")
    if test["result"] in SKIPPED:
        return f"SKIPPED {name}: {reason(test)}"
    command = shlex.join(test.get("command") or ["?"])
    return f"FAILED {name} ({test['result']}, {test.get('returncode')}); again: (cd {shlex.quote(folder)} && {command})"


def count(path, folder):
    tests = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            tests = [json.loads(line) for line in f if line.endswith("\n") and line.strip()]  # a killed meson's last line
    passed = sum(t["result"] in PASSED for t in tests)
    skipped = sum(t["result"] in SKIPPED for t in tests)
    print(passed, len(tests) - passed - skipped, skipped)
    for test in tests:
        if test["result"] not in PASSED:
            print(note(test, folder))


if __name__ == "__main__":
    if sys.argv[1] == "suites":
        print("\n".join(suites(sys.argv[2])))
    else:
        count(sys.argv[2], sys.argv[3])
