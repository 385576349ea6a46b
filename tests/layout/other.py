#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two builds whose layouts differ refuse each other's segments and say which field moved; nothing is written.
Usage: other.py SOURCE_ROOT COMPILER ATTACH"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

root, compiler, ours = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], os.path.abspath(sys.argv[3])
del sys.argv[1:]


def build_other(folder):
    """The library with one more line between a ring's two hints."""
    for part in ("shm", "lib"):
        shutil.copytree(root / part, folder / part)
    header = folder / "shm/strait/layout.h"
    text = header.read_text(encoding="utf-8")
    moved = text.replace("uint64_t unused1[7];\n    /* consumers */", "uint64_t unused1[15];\n    /* consumers */")
    assert moved != text, "struct strait_ring has changed: change this test"
    header.write_text(moved, encoding="utf-8")
    sources = [*sorted((folder / "shm").glob("*.c")), *(folder / "lib" / name for name in ("process.c", "error.c"))]
    subprocess.run([compiler, "-O0", "-w", "-D_GNU_SOURCE", "-std=gnu17", "-I", folder / "shm", "-I", folder / "lib",
                    root / "tests/layout/attach.c", *sources, "-pthread", "-o", folder / "other"], check=True)
    return folder / "other"


class TwoBuilds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="strait-test-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.other = build_other(pathlib.Path(cls.folder.name))

    def setUp(self):
        place = tempfile.TemporaryDirectory(dir="/dev/shm", prefix="strait-test-")
        self.addCleanup(place.cleanup)
        self.place = place.name

    def attach(self, program):
        return subprocess.run([program], capture_output=True, text=True, timeout=20,
                              env={**os.environ, "STRAIT_DIR": self.place})

    def refuses(self, maker, joiner, longer):
        self.assertEqual(self.attach(maker).returncode, 0)
        segment = pathlib.Path(self.place, "strait.x")
        before = hashlib.sha256(segment.read_bytes()).hexdigest()
        done = self.attach(joiner)
        self.assertEqual(done.returncode, 2, done.stdout)
        said = re.search(r"made by a build with another layout: sizeof\(struct strait_ring\) is (\d+) there, (\d+) here",
                         done.stdout)
        self.assertTrue(said, done.stdout)
        self.assertEqual(int(said[1]) - int(said[2]), longer)
        self.assertEqual(hashlib.sha256(segment.read_bytes()).hexdigest(), before)
        self.assertEqual(self.attach(maker).returncode, 0)

    def test_we_refuse_theirs(self):
        self.refuses(self.other, ours, 64)

    def test_they_refuse_ours(self):
        self.refuses(ours, self.other, -64)


if __name__ == "__main__":
    unittest.main()
