#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every public call has a manual page, every page is sound, every reference leads somewhere.
Usage: man.py PAGES_PY LIBSTRAIT_SO HEADER..."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

pages_py, library, header_paths = sys.argv[1], sys.argv[2], sys.argv[3:]
del sys.argv[1:]

ELSEWHERE = {"shmctl.1", "strait-shmctl.1", "fork.2"}  # other people's pages that ours may refer to
ATOMICS = re.compile(r"strait_((load|store|exchange|add)\d\d_\w+|cas\d\d)$")  # made by one macro, told of in strait_atomic(7)


def exported():
    out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    names = {line.split()[2].split("@")[0] for line in out.splitlines()}
    return {name for name in names if name.startswith("strait_")}


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="strait-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        subprocess.run([sys.executable, pages_py, folder.name, "0", *header_paths], check=True)
        cls.pages = {path.name: path.read_text(encoding="utf-8") for path in cls.folder.glob("man*/*")}

    def test_every_call_has_one(self):
        inside = set(re.findall(r"^\.Fo (\w+)", "".join(t for n, t in self.pages.items() if n.endswith(".7")), re.M))
        calls = {symbol for symbol in exported() if not ATOMICS.match(symbol)} - inside
        self.assertGreater(len(calls), 100)
        self.assertEqual([c for c in sorted(calls) if not re.search(rf"(?m)^\.Nm {c}\b", self.pages.get(c + ".3", ""))], [],
                         "exported, and on no page: write a docstring")

    def test_a_call_says_what_it_answers(self):
        """An int that can be an error is explained."""
        known = re.compile(r"\b0\b|-E[A-Z]{2,}|\b[Aa]s\b|strait_\w+|[Hh]ow many|\bfd\b|\bPid\b|\bres\b")
        calls = {n: t for n, t in self.pages.items() if n.endswith(".3") and re.search(r"^\.Ft (int|int64_t)$", t, re.M)}
        says = {name: text.split(".Sh DESCRIPTION")[1].split(".Sh SEE ALSO")[0] for name, text in calls.items()}
        self.assertEqual([name for name in sorted(says) if not known.search(says[name])], [])

    def test_references(self):
        there = set(self.pages) | ELSEWHERE
        wanted = {(name, ".".join(to)) for name, page in self.pages.items()
                  for to in re.findall(r"^(?:\.Pq )?\.?Xr (\w+) (\d)", page, re.M)}
        self.assertGreater(len(wanted), 300)
        self.assertEqual([(page, to) for page, to in sorted(wanted) if to not in there], [])

    def test_lint(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc here")
        paths = sorted(str(path) for path in self.folder.glob("man*/*"))
        said = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *paths], capture_output=True, text=True).stdout
        self.assertEqual(said.replace(str(self.folder), ""), "")


class Refusals(unittest.TestCase):
    """The generator notices what is missing."""

    def test_a_call_without_docstring(self):
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder, "mute.h")
            header.write_text("/** A page. */\n#include <x.h>\n\nSTRAIT_API int strait_mute(void);\n", encoding="utf-8")
            done = subprocess.run([sys.executable, pages_py, folder, "0", header], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no docstring above strait_mute", done.stderr)


if __name__ == "__main__":
    unittest.main()
