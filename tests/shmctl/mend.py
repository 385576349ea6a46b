#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shmctl verify, gc, repair, heal, drain, close, rm, letters: what they change, and that they change nothing else."""

import os
import subprocess
import time
import unittest

from common import Place, run, run_json, stop, until

HAND = "tests/shmctl/shmctl-hand"


class Mend(Place):
    def hand(self, *words):
        process = self.start(HAND, *words, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def kill(self, *processes):
        for process in processes:
            process.kill()
            process.wait()

    def files(self):
        return sorted(os.listdir(self.dir))


class Gc(Mend):
    def test_after_kill_9_of_everything_nothing_is_left_that_nobody_wants(self):
        lives = self.hand("lock", "wanted", "r")
        dead = [self.hand("lock", "one", "r"), self.hand("send", "two", "c", "3"), self.hand("send", "two", "c", "1")]
        with open(self.path("strait.foreign"), "wb") as file:
            file.write(b"not ours" * 1000)
        with open(self.path("other"), "wb") as file:
            file.write(b"x")
        self.kill(*dead)
        everything = ["other", "strait.foreign", "strait.one", "strait.two", "strait.wanted"]
        dry = run("gc", "--dry-run")
        self.assertEqual((dry.returncode, self.files()), (0, everything))
        self.assertIn("strait.one: would be removed", dry.stdout)
        self.assertIn("4 unread messages", dry.stdout)
        keep = run_json("gc", "--keep-messages")
        self.assertEqual((keep["removed"], keep["left"]), (1, 3))
        self.assertIn("strait.two", self.files())
        done = run("gc")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.files(), ["other", "strait.foreign", "strait.wanted"])
        self.kill(lives)
        run("gc")
        self.assertEqual(self.files(), ["other", "strait.foreign"])

    def test_one_in_use_is_never_removed(self):
        """The racers fail when what they are attached to loses its name."""
        racers = [self.hand("race", str(seed)) for seed in range(3)]
        removed, end = 0, time.monotonic() + 4
        while time.monotonic() < end or removed < 3:
            done = run_json("gc")
            removed += done["removed"]
            self.assertEqual([r.poll() for r in racers], [None] * 3, "a racer has failed")
            self.assertLess(time.monotonic(), end + 20, "gc never met a moment when nobody was there")
        self.kill(*racers)
        run("gc")
        self.assertEqual(self.files(), [])

    def test_the_dead_are_swept_where_others_live(self):
        lives, dies = self.hand("lock", "both", "a"), self.hand("lock", "both", "b")
        stop(lives.pid)  # a living waiter would sweep by itself
        self.kill(dies)
        self.assertEqual(run_json("ls")["segments"][0]["leases_dead"], 1)
        self.assertIn("1 dead swept, 1 attached", run("gc").stdout)
        self.assertEqual(run_json("ls")["segments"][0]["leases_dead"], 0)


class Repair(Mend):
    def test_repair_sweeps_and_heal_heals(self):
        dies = self.hand("lock", "seg", "table")
        self.kill(dies)
        done = run("repair", "seg")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 locks marked", done.stdout)
        self.assertIn("suspect", run("show", "seg", "table").stdout)
        self.assertIn("an owner died inside", run("blame", "seg").stdout)
        self.assertIn("nobody is dead", run("repair", "seg").stdout)
        short = self.path("short")
        with open(short, "wb") as file:
            file.write(b"y" * 63)
        self.assertEqual(run("heal", "seg", "table", "--from", short).returncode, 1)
        self.assertIn("suspect", run("show", "seg", "table").stdout)
        with open(short, "wb") as file:
            file.write(b"y" * 64)
        done = run("heal", "seg", "table", "--from", short)
        self.assertEqual((done.returncode, done.stdout), (0, "region table is healed\n"), done.stderr)
        self.assertEqual(run("blame", "seg").returncode, 0)
        with open(self.path("strait.seg"), "rb") as file:
            self.assertIn(b"y" * 64, file.read())
        self.assertIn("is sound", run("heal", "seg", "table").stdout)

    def test_who_lives_keeps_his_lock(self):
        self.hand("lock", "seg", "table")
        done = run("heal", "seg", "table")
        self.assertEqual(done.returncode, 1)
        self.assertIn("somebody who lives", done.stderr)

    def test_a_held_admin_lock_is_waited_for_and_named(self):
        self.play()
        for words in (("repair", "scene"), ("close", "scene", "jobs"), ("rm", "scene")):
            began = time.monotonic()
            done = run(*words)
            self.assertEqual(done.returncode, 1)
            self.assertLess(time.monotonic() - began, 5)
            self.assertIn(f"the admin lock is held by shmctl-stage (pid {self.pids[0]}", done.stderr)

    def test_verify_names_the_rule_and_its_page(self):
        self.kill(self.hand("send", "seg", "c", "2"))
        run("repair", "seg")
        self.assertEqual(run("verify", "seg").returncode, 0)
        with open(self.path("strait.seg"), "r+b") as file:
            at = file.read().index(b"message 1") - 16
            file.seek(at)
            word = bytearray(file.read(8))
            word[2] = word[2] & 0xf8 | 7  # no such state
            file.seek(at)
            file.write(word)
        done = run("verify", "seg")
        self.assertEqual(done.returncode, 3)
        self.assertIn("slot-state", done.stdout)
        (finding,) = run_json("verify", "seg")["findings"]
        self.assertEqual((finding["rule"], finding["object"], finding["offset"]), ("slot-state", "c", at))
        self.assertIn("PROTOCOLS", finding["section"])


class Channels(Mend):
    def test_drain_close_rm(self):
        self.hand("send", "seg", "jobs", "5")
        done = run("drain", "seg", "jobs", "--count", "2", "--print", "--format", r"%t %s\n")
        self.assertEqual(done.stdout, "0 message 0\n1 message 1\n2 messages dropped\n", done.stderr)
        self.assertEqual(run_json("drain", "seg", "jobs")["dropped"], 3)
        self.assertEqual(run("drain", "seg", "none").returncode, 1)
        self.assertNotIn("none", run("show", "seg").stdout, "it has made the channel")
        self.assertEqual(run("close", "seg", "jobs").returncode, 0)
        self.assertIn("closed", run("show", "seg", "jobs").stdout)
        self.assertEqual(run("rm", "seg", "jobs").returncode, 0)
        self.assertIn("unlinked", run("show", "seg").stdout)
        self.assertEqual(run("rm", "seg", "jobs").returncode, 1)
        done = run("rm", "seg")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is in use by shmctl-hand", done.stderr)

    def test_letters_of_a_message_that_kills(self):
        self.hand("send", "seg", "jobs", "1")
        self.assertEqual(run("letters", "seg", "jobs").stdout, "no dead letters\n")
        for _ in range(3):
            self.kill(self.hand("peek", "seg", "jobs"))
        until(lambda: run("repair", "seg").returncode == 0)
        done = run("letters", "seg", "jobs", "--format", r"%a %s\n")
        self.assertEqual((done.returncode, done.stdout), (1, "3 message 0\n"), done.stderr)
        self.assertEqual(run_json("show", "seg")["objects"][0]["channel"]["statistics"]["dead_letters"], 1)

    def test_a_snapshot_is_not_changed(self):
        self.kill(self.hand("send", "seg", "jobs", "1"))
        file = self.path("strait.kept")
        run("snapshot", "seg", file)
        before = self.digest("strait.kept")
        for words in (("repair", file), ("drain", file, "jobs"), ("close", file, "jobs"), ("rm", file),
                      ("heal", file, "r"), ("gc", file)):
            done = run(*words)
            self.assertTrue(done.returncode or words[0] == "gc", words)
            self.assertRegex(done.stderr + done.stdout, "not a (strait )?segment")
        self.assertEqual(self.digest("strait.kept"), before)


if __name__ == "__main__":
    unittest.main()
