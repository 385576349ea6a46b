#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shmctl blame and deadlock on the staged disaster (examples/disaster.c), live and in a snapshot; and where all is well."""

import os
import re
import subprocess
import time
import unittest

from common import Place, run, run_json, stop

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected")


class Disaster(Place):
    def setUp(self):
        super().setUp()
        play = self.start("examples/disaster", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pids = {}
        for _ in range(6):
            name, pid = play.stdout.readline().split()
            self.pids[name] = int(pid)
        self.assertIn("Enter ends it", play.stdout.readline())
        self.play = play

    def plain(self, text):
        """Pids, thread numbers and ages are different every time."""
        for name, pid in self.pids.items():
            text = text.replace(f"pid {pid}", f"pid {name.upper()}").replace(f"-CONT {pid}", f"-CONT {name.upper()}")
        text = re.sub(r"thread \d+", "thread N", text)
        return re.sub(r"waits \d+ (ms|s|min)", "waits TIME", text)

    def expect(self, name, text):
        with open(os.path.join(EXPECTED, name)) as file:
            wanted = file.read()
        # two threads of fay's, in the order in which they happened to begin
        self.assertEqual(sorted(self.plain(text).splitlines()), sorted(wanted.splitlines()))

    def test_each_culprit_is_named_in_under_a_second(self):
        began = time.monotonic()
        blame, deadlock = run("blame", "disaster"), run("deadlock", "disaster")
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual((blame.returncode, blame.stderr), (1, ""))
        self.assertEqual((deadlock.returncode, deadlock.stderr), (2, ""))
        self.expect("blame.txt", blame.stdout)
        self.expect("deadlock.txt", deadlock.stdout)
        dot = run("deadlock", "disaster", "--dot")
        self.assertEqual(dot.returncode, 2)
        self.expect("deadlock.dot", dot.stdout)
        # the living stir in their sleep; with all of them stopped nothing may change
        for name in ("ann", "bob", "cid", "fay"):
            stop(self.pids[name])
        before = self.digest("strait.disaster")
        run("blame"), run("deadlock"), run("ps"), run("show", "disaster"), run("tree"), run("limits")
        self.assertEqual(self.digest("strait.disaster"), before, "it has written")

    def test_json_says_the_same(self):
        (segment,) = run_json("blame")["segments"]
        blocked = {(w["who"]["program"], w["object"]): [(c["program"], c["state"]) for c in w["culprits"]]
                   for w in segment["waits"] if w["blocked"]}
        self.assertEqual(blocked, {
            ("ann", "fork-2"): [("bob", "alive")], ("bob", "fork-3"): [("cid", "alive")],
            ("cid", "fork-1"): [("ann", "alive")], ("fay", "orders"): [("ann", "alive")],
            ("fay", "ledger"): [("dan", "stopped")], ("fay", "stock"): [("eve", "dead")]})
        self.assertEqual(segment["admin_lock"]["program"], "dan")
        self.assertEqual([(d["program"], [h["object"] for h in d["holds"]]) for d in segment["dead"]],
                         [("eve", ["stock"])])
        (cycle,) = run_json("deadlock", "disaster")["deadlocks"]
        self.assertTrue(cycle["certain"])
        self.assertEqual([c["program"] for c in cycle["cycle"]], ["ann", "bob", "cid"])

    def test_a_snapshot_says_it_when_all_is_over(self):
        file = self.path("kept")
        self.assertEqual(run("snapshot", "disaster", file).returncode, 0)
        self.assertEqual(run("snapshot", "disaster", file).returncode, 1, "it has overwritten")
        self.play.communicate("\n")
        self.assertEqual(self.play.returncode, 0)
        self.assertEqual(run("blame", "disaster").returncode, 1)
        self.assertEqual(run("ls").stdout, f"no segments in {self.dir}\n")
        self.expect("blame.txt", run("blame", file).stdout)
        self.expect("deadlock.txt", run("deadlock", file).stdout)
        for words in (("show",), ("ps",), ("tree",), ("limits",), ("verify",)):
            done = run(*words, file)
            self.assertIn(done.returncode, (0, 3 if words == ("verify",) else 0), done.stderr)
            self.assertIn("disaster", done.stdout + file)
        rows = run_json("numa", file)["objects"]
        self.assertEqual(len(rows), 6)
        self.assertEqual([row["pages"] for row in rows], [[]] * 6, "where its pages lay is not in a snapshot")
        self.assertIn("not in a snapshot", run("numa", file).stdout)
        with open(file, "r+b") as cut:
            cut.truncate(20000)
        self.assertEqual(run("show", file).returncode, 3)


class Well(Place):
    def test_where_nobody_waits_nobody_is_blamed(self):
        self.play()
        done = run("blame", "scene")
        self.assertNotIn("waits", done.stdout)
        self.assertEqual(run("deadlock", "scene").stdout, "no deadlock\n")
        self.assertEqual(run("deadlock", "scene").returncode, 0)
        idle = run_json("blame", "scene")["segments"][0]["waits"]
        self.assertEqual([(w["why"], w["blocked"]) for w in idle], [("idle", False)])
        self.assertIn("nothing is there", run("blame", "--all", "scene").stdout)

    def test_the_absent_is_a_finding(self):
        for command in ("blame", "deadlock", "ps", "tree", "limits"):
            done = run(command, "none")
            self.assertEqual(done.returncode, 1)
            self.assertIn("no such segment", done.stderr)


if __name__ == "__main__":
    unittest.main()
