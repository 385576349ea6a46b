# SPDX-License-Identifier: MIT
"""What the tests of strait-fetch share: running it, the embedded origin, bodies made from a seed."""
import functools
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

FETCH, ORIGIN = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
MASK = (1 << 64) - 1


@functools.lru_cache(maxsize=4096)
def body(seed, size):
    """The origin's bytes, made here anew (tests/support/origin.c: origin_fill). About 1 us for each 8 bytes."""
    words, start = [], seed * 0x9E3779B97F4A7C15
    for i in range((size + 7) // 8):
        x = (start + i) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        words.append(x ^ (x >> 31))
    return struct.pack("<%dQ" % len(words), *words)[:size]


class Origin:
    """The embedded origin, in a process that ends when we close its stdin."""

    def __enter__(self):
        self.process = subprocess.Popen([ORIGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.port, path)


class Result:
    def __init__(self, status, report, stderr, seconds, directory):
        self.status, self.report, self.stderr, self.seconds = status, report, stderr, seconds
        self.directory = pathlib.Path(directory)
        self.failures = {f["url"]: f for f in report["failures"]} if report else {}

    def names(self):
        return sorted(os.listdir(self.directory)) if self.directory.exists() else []

    def read(self, number):
        found = [n for n in self.names() if n.split("-")[0] == "%05d" % number]
        assert len(found) == 1, found
        return (self.directory / found[0]).read_bytes()


class FetchCase(unittest.TestCase):
    folder = None # the default for temporary files

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="strait-fetch-test.", dir=self.folder))

    def tearDown(self):
        shutil.rmtree(self.root)
        left = [n for n in os.listdir("/dev/shm") if n.startswith("strait.fetch.%d" % getattr(self, "last_pid", 0))]
        self.assertEqual(left, [], "a segment was left behind")

    def start(self, urls, *options, output="out", environment=None):
        listing = self.root / "list"
        listing.write_text("".join(u + "\n" for u in urls))
        command = [FETCH, "--json", "-o", str(self.root / output), "-i", str(listing), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **(environment or {})})
        self.last_pid = process.pid
        return process

    def finish(self, process, began, output="out", limit=100):
        stdout, stderr = process.communicate(timeout=limit)
        report = json.loads(stdout) if stdout else None
        return Result(process.returncode, report, stderr, time.monotonic() - began, self.root / output)

    def fetch(self, urls, *options, output="out", limit=100, environment=None):
        began = time.monotonic()
        return self.finish(self.start(urls, *options, output=output, environment=environment), began, output, limit)


def main():
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=2)
