#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much do shmctl tap and top, both running, slow a one-to-one stream at full rate? On a machine that does nothing else.

One stream, its ends pinned to two CPUs, runs all the while; so do the watchers, stopped and continued turn by turn, so that
each piece without them has neighbours with them. A piece's rate is what the receiver counted, without the edges; the figure
is the median of the ratios of neighbours.

slowdown.py [--pieces 90] [--seconds 0.22] [--watch tap,top] [--top-interval 0.1] [TAP'S OPTIONS]; exit 1 beyond 3 %."""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from common import BUILD, SHMCTL

BAR = 0.97
EDGE_NS = 20_000_000  # after the watchers were stopped or continued


class Stream:
    """Lines of (ns, messages received), as they came."""

    def __init__(self):
        self.process = subprocess.Popen([os.path.join(BUILD, "tests/shmctl/shmctl-hand"), "stream", "seg", "0", "pinned"],
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        os.set_blocking(self.process.stdout.fileno(), False)
        self.points = []

    def read(self):
        while line := self.process.stdout.readline():
            self.points.append(tuple(int(word) for word in line.split()))

    def rate(self, begin, end):
        """Messages a second between two moments."""
        inside = [p for p in self.points if begin + EDGE_NS <= p[0] <= end]
        (t0, n0), (t1, n1) = inside[0], inside[-1]
        return (n1 - n0) * 1e9 / (t1 - t0)


def piece(stream, seconds):
    begin = time.monotonic_ns()
    time.sleep(seconds)
    end = time.monotonic_ns()
    stream.read()
    return stream.rate(begin, end)


def tell(watchers, sig):
    for watcher in watchers:
        watcher.send_signal(sig)


def ticks(watchers):
    """CPU seconds of each so far."""
    used = []
    for watcher in watchers:
        with open(f"/proc/{watcher.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        used.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return used


def measure(stream, watchers, pieces, seconds):
    """[without, with, without, …, without]"""
    rates = []
    for i in range(2 * pieces + 1):
        tell(watchers, signal.SIGCONT if i % 2 else signal.SIGSTOP)
        rates.append(piece(stream, seconds))
    return rates


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pieces", type=int, default=90)
    parser.add_argument("--seconds", type=float, default=0.22)
    parser.add_argument("--watch", default="tap,top")
    parser.add_argument("--top-interval", default="0.1")
    args, tap = parser.parse_known_args()
    words = {"tap": ("tap", "seg", "stream", *tap), "top": ("top", "--interval", args.top_interval)}
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="strait-test-") as folder:
        os.environ["STRAIT_DIR"] = folder
        stream = Stream()
        watchers = [subprocess.Popen([SHMCTL, *words[w]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for w in args.watch.split(",")]
        try:
            time.sleep(0.5)  # their start is not what is measured
            before = ticks(watchers)
            rates = measure(stream, watchers, args.pieces, args.seconds)
            used = [a - b for a, b in zip(ticks(watchers), before)]
        finally:
            tell([stream.process, *watchers], signal.SIGKILL)
            for process in (stream.process, *watchers):
                process.wait()
    alone, seen = rates[::2], rates[1::2]
    ratios = [with_ / ((a + b) / 2) for with_, a, b in zip(seen, alone, alone[1:])]
    null = [b / ((a + c) / 2) for a, b, c in zip(alone, alone[1:], alone[2:])]  # the same of pieces without: the noise
    low, ratio, high = statistics.quantiles(ratios, n=4)
    print(f"alone {statistics.median(alone) / 1e6:.2f} M/s, watched {statistics.median(seen) / 1e6:.2f} M/s; ratio "
          f"{ratio:.3f} (quartiles {low:.3f} to {high:.3f}; without watchers {statistics.quantiles(null, n=4)[0]:.3f} to "
          f"{statistics.quantiles(null, n=4)[2]:.3f}; bar {BAR}); {args.pieces} pieces of {args.seconds} s")
    print("CPU while continued: " + ", ".join(f"{w} {u / (args.pieces * args.seconds):.2%}"
                                              for w, u in zip(args.watch.split(","), used)))
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
