# SPDX-License-Identifier: MIT
"""coverage.py TOP BUILD [FILE...]: what gcov counted of shm/, as a table, and a verdict.

The bars: 90 % of all branches, every line of sweep.c and verify*.c. Exit 1 below them. Of each FILE (shm/ring.c) it prints
which lines and branches are not reached.

A line counts as reached where any copy of it was: inline functions have a copy in each place that calls them. For the same
reason a branch is one of the source: a line of a header that was copied twice into one function has its branches once."""

import collections
import concurrent.futures
import gzip
import json
import os
import re
import subprocess
import sys

BAR_PERCENT = 90
EVERY_LINE = re.compile(r"shm/(sweep|verify\w*)\.c")


def gcov(datum):
    """What one object file counted, as gcov's JSON."""
    run = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", os.path.basename(datum)],
                         cwd=os.path.dirname(datum), capture_output=True, check=False)
    out = run.stdout if run.stdout[:2] != b"\x1f\x8b" else gzip.decompress(run.stdout)
    # a process that was killed while it wrote leaves a file that gcov cannot read: it counts for nothing
    return [json.loads(text) for text in out.decode().splitlines() if text.startswith("{")]


class File:
    def __init__(self):
        self.lines = collections.Counter()
        self.copies = collections.defaultdict(list)  # line -> the branches of each copy, as counts

    def add(self, entry):
        line = entry["line_number"]
        self.lines[line] += entry["count"]
        branches = [b["count"] for b in entry["branches"] if not b["throw"]]
        if branches:
            self.copies[line].append(branches)

    def branches(self, line):
        copies = self.copies.get(line, [])
        n = min(map(len, copies), default=0)
        taken = [0] * n
        for counts in copies:
            for i, count in enumerate(counts):
                taken[i % n] += count
        return taken


def read(top, build):
    data = [os.path.join(folder, name) for folder, _, names in os.walk(build) for name in names if name.endswith(".gcda")]
    files = collections.defaultdict(File)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for reports in pool.map(gcov, data):
            for report in reports:
                for source in report["files"]:
                    path = os.path.join(report["current_working_directory"], source["file"])
                    name = os.path.relpath(os.path.realpath(path), top)
                    if name.startswith("shm/"):
                        for entry in source["lines"]:
                            files[name].add(entry)
    return files


def share(part, whole):
    return f"{part:5}/{whole:<5} {100 * part / whole if whole else 100:5.1f} %"


def main(top, build, wanted):
    files = read(os.path.realpath(top), build)
    totals, missed = [0, 0, 0, 0], []
    print(f"{'file':24} {'lines':>10} {'':9} {'branches':>10}")
    for name, file in sorted(files.items()):
        left = sorted(line for line, count in file.lines.items() if count == 0)
        branches = {line: file.branches(line) for line in file.copies}
        half = sorted(line for line, taken in branches.items() if file.lines[line] and not all(taken))
        row = [len(file.lines) - len(left), len(file.lines),
               sum(1 for taken in branches.values() for count in taken if count), sum(map(len, branches.values()))]
        totals = [a + b for a, b in zip(totals, row)]
        print(f"{name:24} {share(*row[:2])}   {share(*row[2:])}")
        if EVERY_LINE.fullmatch(name) and left:
            missed.append(f"{name}: lines not reached: {' '.join(map(str, left))}")
        if name in wanted:
            print("    lines not reached:", *left)
            print("    lines with a branch not taken:", *half)
    if not totals[3]:
        print("coverage: nothing was counted")
        return 1
    print(f"{'all of shm/':24} {share(*totals[:2])}   {share(*totals[2:])}")
    percent = 100 * totals[2] / totals[3]
    print(f"coverage: {percent:.1f} % of the branches of shm/ (bar {BAR_PERCENT} %); "
          f"sweep and verify: {'NOT every line' if missed else 'every line'}")
    print(*missed, sep="\n", end="\n" if missed else "")
    return percent < BAR_PERCENT or bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
