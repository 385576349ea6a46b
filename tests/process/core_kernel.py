#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the kernel sees: system calls of a busy stream, a file system that is full, the smallest programs.
Usage: core_kernel.py strace|full|hello PROGRAM… (see meson.build). Exit 77: SKIPPED, with the reason."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def skip(reason):
    print(f"SKIPPED {reason}")
    sys.exit(77)


def place():
    folder = tempfile.TemporaryDirectory(dir="/dev/shm", prefix="strait-test-")
    os.environ["STRAIT_DIR"] = folder.name
    return folder


def calls_of(busy, folder, *words):
    """How many system calls a stream makes, by name."""
    out = pathlib.Path(folder, "strace.out")
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0"  # it cannot look for leaks while strace traces
    subprocess.run(["strace", "-f", "-c", "-o", out, busy, *map(str, words)], check=True, timeout=100,
                   stdout=subprocess.DEVNULL)
    calls = {}
    for line in out.read_text(encoding="utf-8").splitlines():
        row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
        if row and row[2] != "total":
            calls[row[2]] = int(row[1])
    return calls


def strace(busy):
    """A million messages cost what ten cost where nobody sleeps; where the parties sleep, each sleep costs a few system
    calls, and a message none."""
    if not shutil.which("strace"):
        skip("strace is not installed")
    messages = 1_000_000 // (10 if os.environ.get("STRAIT_SHORT", "0") not in ("", "0") else 1)
    with place() as folder:
        if subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode:
            skip("strace may not trace here")
        few, many = (sum(calls_of(busy, folder, n, "busy").values()) for n in (10, messages))
        sleepy = calls_of(busy, folder, messages)
    print(f"nobody sleeps: 10 messages {few} system calls, {messages} messages {many}")
    print(f"spin, then sleep: {messages} messages {sum(sleepy.values())}, of which {sleepy}")
    assert many < few + 40, "messages cost system calls"
    assert many < 2000
    assert sum(sleepy.values()) < few + messages / 100, "that is more than a handful"


def full(attach):
    """A file system that is too small: -ENOSPC in words with the remedy, no file left, no SIGBUS."""
    if os.geteuid() != 0:
        skip("only root may mount a tmpfs")
    with place() as folder:
        script = f"""
            mount -t tmpfs -o size=1m tmpfs {folder} || exit 77
            {attach}; echo "exit $?"
            echo "files $(ls -A {folder} | wc -l)"
            mount -o remount,size=16m {folder} || exit 77
            {attach}; echo "exit $?"
            echo "files $(ls -A {folder} | wc -l)"
        """
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=30)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        skip("no mount namespace, or no tmpfs in it: " + done.stderr.strip())
    print(done.stdout)
    said, code, files, *after = done.stdout.splitlines()
    assert re.search(r"no room for 8192 KiB; free some, enlarge it \(mount -o remount,size=…\), or ask for a smaller",
                     said), said
    assert (code, files) == ("exit 1", "files 0"), (code, files)
    assert after == ["attached", "exit 0", "files 1"], after


def lines_of(program):
    source = pathlib.Path(__file__).parents[2] / "examples" / (pathlib.Path(program).name + ".c")
    text = [line for line in source.read_text(encoding="utf-8").splitlines() if line and not line.startswith("/*")]
    calls = re.findall(r"\bstrait_\w+\(", "\n".join(text))
    return len(text), [call for call in calls if "error" not in call]


def hello(send, receive):
    """The smallest programs: short, and they talk; whichever comes first, and again on what the last run left."""
    for program in (send, receive):
        lines, calls = lines_of(program)
        assert lines <= 15, f"{program}: {lines} lines"
        assert len(calls) <= 6, f"{program}: {calls}"
    with place() as folder:
        for _ in range(2):
            assert subprocess.run([send], timeout=10).returncode == 0
            got = subprocess.run([receive], capture_output=True, text=True, timeout=10)
            assert (got.returncode, got.stdout) == (0, "hello, world\n"), got
            with subprocess.Popen([receive], stdout=subprocess.PIPE, text=True) as receiver:
                assert subprocess.run([send], timeout=10).returncode == 0
                out, _ = receiver.communicate(timeout=10)
                assert (receiver.returncode, out) == (0, "hello, world\n"), out
        assert os.listdir(folder) == ["strait.hello"], os.listdir(folder)  # in STRAIT_DIR, and nowhere else


if __name__ == "__main__":
    {"strace": strace, "full": full, "hello": hello}[sys.argv[1]](*map(os.path.abspath, sys.argv[2:]))
