#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shmctl ls and show, on a scene with the dead, the stopped and the asleep; on files that are none of ours; and what
both print with."""

import json
import os
import pty
import signal
import subprocess
import unittest

from common import BUILD, SHMCTL, Place, run, run_json, stop, until

PRINT = os.path.join(BUILD, "tests/shmctl/shmctl-print")


class Show(Place):
    def sleeps(self):
        """Is the stopped receiver counted in at its bell? Between two of its bounded sleeps it is not."""
        objects = {o["name"]: o for o in run_json("show", "scene")["objects"]}
        if objects["quiet"]["channel"]["readable"]["asleep"] == 1:
            return True
        os.kill(self.pids[1], signal.SIGCONT)
        stop(self.pids[1])
        return False

    def test_everything_is_seen_while_all_peers_are_stopped_and_the_admin_lock_is_held(self):
        self.play()
        until(self.sleeps, "a stop in the middle of the receiver's sleep")
        before = self.digest("strait.scene")
        shown = run("show", "scene", "--json")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        d = json.loads(shown.stdout)
        self.assertEqual((d["schema"], d["version"]), ("strait.shmctl.show", 1))
        self.assertEqual(d["segment"]["name"], "scene")
        self.assertTrue(d["segment"]["admin_lock_held"])
        leases = {lease["lease"]: lease for lease in d["leases"]}
        self.assertEqual(leases[1]["pid"], self.pids[0])
        self.assertTrue(leases[1]["alive"])
        self.assertFalse(leases[2]["alive"])
        self.assertEqual(leases[3]["pid"], self.pids[1])
        self.assertEqual([w["for"] for w in leases[3]["waits"]], ["receive"])
        objects = {o["name"]: o for o in d["objects"]}
        self.assertTrue(objects["old"]["unlinked"])
        self.assertEqual(objects["old"]["used_by"], [1])
        jobs = objects["jobs"]["channel"]
        self.assertEqual((jobs["senders"], jobs["receivers"]), ([1], [2]))
        self.assertEqual(jobs["rings"][0]["slots"],
                         {"free": 0, "claimed": 0, "ready": 3, "taken": 1, "void": 0, "returned": 0})
        self.assertEqual(jobs["replies"]["open"], 1)
        self.assertFalse(objects["quiet"]["channel"]["many_senders"])
        self.assertEqual(objects["quiet"]["channel"]["rings"][0]["sole_sender"], 1)
        self.assertEqual(objects["quiet"]["channel"]["readable"]["asleep"], 1)
        waits = [w for w in leases[3]["waits"]]
        self.assertEqual(waits[0]["object_offset"], objects["quiet"]["offset"])
        self.assertEqual(self.digest("strait.scene"), before, "it has written")

    def test_text_names_the_dead_the_full_and_the_waiting(self):
        self.play()
        shown = run("show", "scene")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        lines = shown.stdout.splitlines()
        self.assertRegex(shown.stdout, r"admin lock held")
        self.assertTrue(any(" dead " in line and line.split()[0] == "2" for line in lines))
        self.assertTrue(any("stopped" in line and "receive quiet, " in line for line in lines))
        self.assertTrue(any("[####################]" in line and line.split()[3:6] == ["3", "1", "0"] for line in lines))
        self.assertNotIn("\033", shown.stdout)
        heading = next(line for line in lines if "LEASE" in line)
        column = heading.index("STATE")
        for line in lines[lines.index(heading) + 1:][:3]:
            self.assertIn(line[column:].split()[0], ("stopped", "dead"))

    def test_one_channel_is_shown_alone(self):
        self.play()
        shown = run("show", "scene", "jobs")
        self.assertEqual(shown.returncode, 0)
        self.assertIn("channel jobs", shown.stdout)
        self.assertNotIn("quiet", shown.stdout)
        shown = run("show", "scene", "none")
        self.assertEqual(shown.returncode, 1)
        self.assertIn("has no object none", shown.stderr)

    def test_a_path_is_taken_as_it_is(self):
        self.play()
        self.assertEqual(run("show", self.path("strait.scene"), cwd="/").returncode, 0)
        self.assertEqual(run("show", "./strait.scene", cwd=self.dir).returncode, 0)

    def test_colours_are_for_terminals(self):
        self.play()

        def on_terminal(**more):
            near, far = pty.openpty()
            subprocess.run([SHMCTL, "show", "scene"], stdout=far, timeout=10, **more)
            os.close(far)
            text = b""
            try:
                while piece := os.read(near, 1 << 16):
                    text += piece
            except OSError:
                pass  # the end, of a terminal
            os.close(near)
            return text
        self.assertIn(b"\033[31mdead", on_terminal())
        self.assertNotIn(b"\033", on_terminal(env={**os.environ, "NO_COLOR": "1"}))
        self.assertIn("\033", run("show", "scene", "--color", "always").stdout)

    def test_lies_in_the_segment_are_said_and_survived(self):
        self.play()
        with open(self.path("strait.scene"), "r+b") as file:
            image = bytearray(file.read())
        clean = bytes(image)
        at = image.index(b"jobs\0")  # the entry's name, 32 bytes into it
        cases = {
            "entry offset": (at - 32 + 8, b"\xff" * 8),
            "entry name": (at, b"\xff\033[2J" + b"x" * 43),
        }
        offset = int.from_bytes(image[at - 32 + 8:at - 32 + 16], "little")
        cases["channel numbers"] = (offset + 12, b"\xff\xff\xff\x7f")
        cases["slot word"] = (offset + 4096 - 64, b"\xff" * 64)
        for name, (where, what) in cases.items():
            with self.subTest(name):
                image[:] = clean
                image[where:where + len(what)] = what
                with open(self.path("lie"), "wb") as file:
                    file.write(image)
                for more in ((), ("--json",)):
                    shown = run("show", self.path("lie"), *more)
                    self.assertIn(shown.returncode, (0, 3), shown.stderr)
                    self.assertNotIn("\033", shown.stdout)
                    if more:
                        json.loads(shown.stdout)
                if name in ("entry offset", "channel numbers"):
                    self.assertEqual(shown.returncode, 3)


class Ls(Place):
    def test_an_empty_folder_says_so(self):
        shown = run("ls")
        self.assertEqual((shown.returncode, shown.stdout), (0, f"no segments in {self.dir}\n"))
        self.assertEqual(json.loads(run("ls", "--json").stdout)["segments"], [])

    def test_segments_and_impostors_are_listed_each_with_its_state(self):
        self.play()
        with open(self.path("strait.scene"), "rb") as file:
            image = file.read()
        files = {"strait.short": b"x", "strait.zeros": b"\0" * 8192, "strait.cut": image[:100000],
                 "strait.older": image[:8] + b"\0\0\0\0" + image[12:], "other": b"not ours"}
        for name, content in files.items():
            with open(self.path(name), "wb") as file:
                file.write(content)
        os.mkfifo(self.path("strait.fifo"))
        os.mkdir(self.path("strait.folder"))
        os.symlink("strait.scene", self.path("strait.link"))
        shown = run("ls", "--json")
        self.assertEqual(shown.returncode, 0)
        listed = {s["name"]: s for s in json.loads(shown.stdout)["segments"]}
        self.assertEqual(set(listed), {"scene", "short", "zeros", "cut", "older", "fifo", "folder", "link"})
        self.assertEqual([n for n, s in listed.items() if s["readable"]], ["scene"])
        self.assertEqual((listed["scene"]["leases_alive"], listed["scene"]["leases_dead"]), (2, 1))
        self.assertEqual(listed["scene"]["objects"], 3)
        for name, words in {"short": "file size", "zeros": "magic number", "cut": "damaged: its file size",
                            "older": "layout version is 0 there, ", "fifo": "not a segment: no regular file",
                            "folder": "not a segment: no regular file", "link": "not a segment: a symbolic link"}.items():
            self.assertIn(words, listed[name]["reason"])
        text = run("ls").stdout
        self.assertIn("1 dead, not swept yet", text)
        for name, code in {"short": 3, "zeros": 3, "cut": 3, "older": 3, "fifo": 3, "folder": 3, "none": 1}.items():
            self.assertEqual(run("show", name).returncode, code, name)

    def test_a_folder_that_is_not_there_is_a_finding(self):
        shown = run("ls", "-d", self.path("none"))
        self.assertEqual(shown.returncode, 1)
        self.assertIn("No such file", shown.stderr)


class Usage(unittest.TestCase):
    def test_wrong_words_exit_with_64_and_point_to_help(self):
        for words in ((), ("nothing",), ("show",), ("show", "a", "b", "c"), ("ls", "extra"), ("ls", "--unknown"),
                      ("ls", "--color", "maybe"), ("show", "a b")):
            shown = run(*words)
            self.assertEqual(shown.returncode, 64, words)
            self.assertTrue(shown.stderr)
            self.assertEqual(shown.stdout, "")

    def test_help_has_examples_and_exit_codes(self):
        self.assertIn("show", run("--help").stdout)
        for name in ("ls", "show"):
            shown = run(name, "--help")
            self.assertEqual(shown.returncode, 0)
            self.assertIn(f"\n  shmctl {name}", shown.stdout)
            self.assertIn("exit: 0 good, 1 not found or something to look at, 2 a deadlock", shown.stdout)

    def test_a_full_disk_is_not_success(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([SHMCTL, "--help"], stdout=full, stderr=subprocess.PIPE, timeout=10)
            self.assertEqual(subprocess.run([SHMCTL, "ls"], stdout=full, stderr=subprocess.PIPE).returncode, 1)
        self.assertIn(done.returncode, (0, 1))


class Print(unittest.TestCase):
    def test_json_is_json_whatever_the_bytes(self):
        text = subprocess.run([PRINT, "json"], capture_output=True).stdout
        d = json.loads(text.decode("utf-8"))
        self.assertEqual(d["empty object"], {})
        self.assertEqual(d["empty array"], [])
        self.assertEqual(d["numbers"], [2**64 - 1, -2**63, 0.1, None, None])
        self.assertEqual((d["yes"], d["no"], d["nothing"]), (True, False, None))
        bad = "\ufffd"
        self.assertEqual(d["strings"], [
            "", "quote \" backslash \\ slash / newline \n tab \t escape \033 delete \177",
            "Straße → 🙂", "cut " + bad,
            f"overlong {bad * 2} surrogate {bad * 3} beyond {bad * 4} alone {bad} never {bad}", "zero\0inside"])
        self.assertEqual(d['key "quoted"'], {"nested": [[]]})

    def test_tables_align_and_disarm(self):
        text = subprocess.run([PRINT, "table"], capture_output=True).stdout.decode()
        lines = text.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[0].index("SIZE") + 4, lines[1].index("1023 B") + 6)
        self.assertEqual(lines[0].index("LAST"), lines[1].index("119 s"))
        self.assertIn("evil?[2J", lines[2])
        self.assertNotIn("\033", text)
        self.assertTrue(lines[3].startswith("  cut "))
        self.assertIn("16 EiB", lines[3])
        self.assertIn("\033[31m1023 B\033[0m", subprocess.run([PRINT, "table", "colours"], capture_output=True,
                                                               text=True).stdout)


if __name__ == "__main__":
    unittest.main()
