#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much do shmctl tap and top, both running, slow a one-to-one stream at full rate? Windows with and without them, turn
by turn in one run; the medians' ratio. Usage: slowdown.py [ROUNDS [SECONDS [TAP'S OPTIONS]]]; exit 1 beyond 3 %."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from common import BUILD, SHMCTL

BAR = 0.97


def received(stream):
    """Read what the stream says until now: (ns, messages)."""
    os.set_blocking(stream.fileno(), False)
    last = None
    while line := stream.readline():
        last = [int(word) for word in line.split()]
    return last


def rate(stream, seconds):
    """Messages a second in a window."""
    begin = None
    while begin is None:
        begin = received(stream)
        time.sleep(0.02)
    time.sleep(seconds)
    end = None
    while end is None:
        end = received(stream)
        time.sleep(0.02)
    return (end[1] - begin[1]) * 1e9 / (end[0] - begin[0])


def watched(stream, seconds, options):
    watchers = [subprocess.Popen([SHMCTL, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for words in (("tap", "seg", "stream", *options), ("top", "--interval", "0.1"))]
    time.sleep(0.1)  # their start is not what is measured
    try:
        return rate(stream, seconds)
    finally:
        for watcher in watchers:
            watcher.terminate()
            watcher.wait()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="strait-test-") as folder:
        os.environ["STRAIT_DIR"] = folder
        play = subprocess.Popen([os.path.join(BUILD, "tests/shmctl/shmctl-hand"), "stream", "seg"],
                                stdout=subprocess.PIPE, text=True)
        try:
            play.stdout.readline()
            alone, seen = [], []
            for _ in range(rounds):
                alone.append(rate(play.stdout, seconds))
                seen.append(watched(play.stdout, seconds, sys.argv[3:]))
        finally:
            play.kill()
            play.wait()
    ratio = statistics.median(s / a for s, a in zip(seen, alone))
    print(f"alone {statistics.median(alone) / 1e6:.2f} M/s, with tap and top {statistics.median(seen) / 1e6:.2f} M/s; "
          f"median of {rounds} pairs' ratios {ratio:.3f} (bar {BAR})")
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
