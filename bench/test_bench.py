#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does strait-bench refuse bad questions, count what it says, and read back what it wrote? No figure is judged here.

test_bench.py STRAIT-BENCH README_TABLE
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
FAILURES = []


def check(what, fine, output=""):
    print(f"{'ok    ' if fine else 'FAILED'} {what}")
    if not fine:
        FAILURES.append(what)
        print(output)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def refuses(bench, said, *arguments):
    status, output = run(bench, *arguments)
    check(f"refuses {' '.join(arguments)}", status == 2 and said in output, f"status {status}: {output}")


def one_cpu_only(bench):
    cpu = min(os.sched_getaffinity(0))
    done = subprocess.run([bench, "roundtrip"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    check("refuses a single CPU", done.returncode == 2 and "two CPUs" in done.stdout, done.stdout)


def questions(bench):
    refuses(bench, "there is no scenario", "nonsense")
    refuses(bench, "there is no competitor", "stream", "--peers", "nonsense")
    refuses(bench, "largest slot", "stream", "--size", "64M")
    refuses(bench, "at least 8", "stream", "--size", "7")
    refuses(bench, "not a size", "stream", "--size", "many")
    refuses(bench, "power of two", "stream", "--depth", "100")
    refuses(bench, "--rounds", "stream", "--rounds", "0")
    refuses(bench, "--cpus", "stream", "--cpus", "0,0")
    refuses(bench, "takes two files", "compare", "one.json")
    refuses(bench, "cannot read", "compare", "/nonexistent/a.json", "/nonexistent/b.json")
    one_cpu_only(bench)


def slower(text, name, factor):
    """The same run, in which the row of that name was slower, and both runs hardly spread."""
    changed = json.loads(text)
    for row in changed["rows"]:
        row["spread"] = row.get("value", 0) * 0.001
        if row["name"] == name:
            row["value"] *= factor
    return json.dumps(changed)


def comparisons(bench, folder, text):
    before, after = folder / "before.json", folder / "after.json"
    before.write_text(slower(text, "mailbox", 1.0))
    after.write_text(slower(text, "mailbox", 1.2))
    status, output = run(bench, "compare", str(before), str(after))
    check("compare sees 20 % more", status == 0 and "WORSE" in output and "1 worse" in output, output)
    after.write_text(slower(text, "mailbox", 1.02))
    status, output = run(bench, "compare", str(before), str(after))
    check("compare overlooks 2 % more", status == 0 and "0 worse" in output, output)
    for cut in range(0, len(text), max(1, len(text) // 50)):
        after.write_text(text[:cut])
        status, output = run(bench, "compare", str(before), str(after))
        if status != 2:
            check(f"compare refuses a file cut at {cut}", False, output)
    check("compare refuses every cut file", True)


def a_run(bench, table, folder):
    path = folder / "run.json"
    status, output = run(bench, "roundtrip", "sealed", "--rounds", "1", "--peers", "pipe", "--json", str(path), "--plot",
                         str(folder / "plots"))
    check("runs", status == 0, output)
    text = path.read_text()
    rows = {(row["scenario"], row["name"]): row for row in json.loads(text)["rows"]}
    for name in ("mailbox", "rotating", "pipe", "strait", "strait-sleeping"):
        row = rows.get(("roundtrip", name), {})
        check(f"{name} has a figure, or a reason", row.get("value", 0) > 0 if row.get("outcome") == "fine" else row.get("why"),
              str(row))
    check("busy makes no system call", rows.get(("sealed", "strait"), {}).get("value") == 0, output)
    check("draws", list((folder / "plots").glob("*.svg")))
    status, output = run(table, str(path))
    check("makes the README's table", status == 0 and "| round trip, 48 B |" in output, output)
    comparisons(bench, folder, text)


def main():
    bench, table = sys.argv[1:3]
    if len(os.sched_getaffinity(0)) < 2:
        print("SKIPPED: needs two CPUs")
        return SKIPPED
    questions(bench)
    with tempfile.TemporaryDirectory() as folder:
        a_run(bench, table, pathlib.Path(folder))
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
