#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shmctl tap, record, replay, hz, top, send, recv, call, latency; top on a terminal, in tmux."""

import json
import os
import pty
import shutil
import signal
import subprocess
import unittest

from common import SHMCTL, Place, run, run_json, until

HAND = "tests/shmctl/shmctl-hand"

with open(SHMCTL, "rb") as file:
    SANITIZED = b"__asan_init" in (program := file.read()) or b"__tsan_init" in program


class Traffic(Place):
    def hand(self, *words):
        process = self.start(HAND, *words, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process


class Tap(Traffic):
    def test_what_is_unread_is_seen_and_stays(self):
        self.hand("send", "seg", "jobs", "3")
        before = self.digest("strait.seg")
        done = run("tap", "seg", "jobs", "--oldest", "--count", "3", "--format", r"%n %t %l %s\n")
        self.assertEqual(done.stdout, "0 0 9 message 0\n1 1 9 message 1\n2 2 9 message 2\n", done.stderr)
        self.assertIn("3 messages, 0 missed", done.stderr)
        self.assertEqual(self.digest("strait.seg"), before, "it has written")
        self.assertEqual(run("recv", "seg", "jobs", "--count", "3", "--raw").stdout,
                         "message 0\nmessage 1\nmessage 2\n")

    def numbers(self, done):
        """The messages' numbers; each must be whole: six times the same."""
        numbers = []
        for line in done.stdout.splitlines():
            document = json.loads(line)
            if "gap" in document:
                continue
            words = [document["hex"][i:i + 16] for i in range(0, 96, 16)]
            self.assertEqual(len(set(words)), 1, "a torn message")
            numbers.append(int.from_bytes(bytes.fromhex(words[0]), "little"))
        self.assertEqual(numbers, sorted(set(numbers)), "out of order, or twice")
        return numbers

    def test_a_slow_stream_is_seen_whole(self):
        self.hand("stream", "seg", "500")
        done = run("tap", "seg", "stream", "--count", "300", "--json")
        numbers = self.numbers(done)
        missed = int(done.stderr.split(" messages, ")[1].split()[0])
        self.assertEqual(numbers[-1] - numbers[0] + 1, len(numbers) + missed)

    def test_a_fast_stream_is_seen_in_part_and_never_torn(self):
        self.hand("stream", "seg")
        done = run("tap", "seg", "stream", "--seconds", "2", "--json", "--rate", "0")
        numbers = self.numbers(done)
        missed = int(done.stderr.split(" messages, ")[1].split()[0])
        self.assertGreater(len(numbers), 100)
        self.assertGreater(missed, 0)
        # what it says it has missed is what is not there
        self.assertEqual(numbers[-1] - numbers[0] + 1 <= len(numbers) + missed, True)

    def test_record_and_replay(self):
        self.hand("send", "seg", "jobs", "20")
        file = self.path("jobs.rec")
        self.assertEqual(run("record", "seg", "jobs", file, "--oldest", "--count", "20").returncode, 0)
        self.assertEqual(run("record", "seg", "jobs", file, "--count", "1").returncode, 1, "it has overwritten")
        run("drain", "seg", "jobs")
        self.assertIn("nobody is left", run("replay", "seg", "jobs", file, "--fast").stderr)
        receiver = self.start("tools/shmctl", "recv", "seg", "jobs", "--count", "20", "--format", r"%t %s\n",
                              stdout=subprocess.PIPE, text=True)
        until(lambda: run_json("show", "seg")["objects"][0]["channel"]["receivers"], "the receiver")
        done = run("replay", "seg", "jobs", file, "--fast")
        self.assertEqual((done.returncode, done.stderr), (0, "shmctl: 20 messages sent\n"))
        self.assertEqual(receiver.communicate()[0], "".join(f"{i} message {i}\n" for i in range(20)))
        self.assertEqual(run("replay", "seg", "jobs", self.path("strait.seg")).returncode, 1)

    def test_a_record_of_nothing_leaves_no_file(self):
        self.hand("send", "seg", "jobs", "1")
        file = self.path("none.rec")
        for words in (("none", "jobs"), ("seg", "none")):
            self.assertEqual(run("record", *words, file).returncode, 1)
            self.assertFalse(os.path.exists(file), words)


class Ends(Traffic):
    def test_send_and_recv(self):
        self.hand("send", "seg", "jobs", "0")
        self.assertEqual(run("send", "seg", "jobs", "one", "two", "--tag", "7").returncode, 0)
        self.assertEqual(run("send", "seg", "jobs", input="three\nfour").returncode, 0)
        done = run("recv", "seg", "jobs", "--count", "4", "--json")
        got = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([(bytes.fromhex(m["hex"]).decode(), m["tag"]) for m in got],
                         [("one", 7), ("two", 7), ("three", 0), ("four", 0)])
        self.assertEqual(run("recv", "seg", "jobs", "--timeout", "0.05").returncode, 1)
        self.assertEqual(run("send", "seg", "jobs", "x" * 49).returncode, 1)
        self.assertEqual(run("send", "seg", "none", "x").returncode, 1)
        self.assertEqual(run("send", "none", "jobs", "x").returncode, 1)
        self.assertEqual(self.files(), ["strait.seg"], "it has made a segment")

    def files(self):
        return sorted(os.listdir(self.dir))

    def test_call_and_latency_of_a_pool(self):
        self.hand("serve", "seg", "workers")
        done = run("call", "seg", "workers", "ping", "--raw")
        self.assertEqual((done.returncode, done.stdout), (0, "ping\n"), done.stderr)
        d = run_json("latency", "seg", "workers", "--count", "50")
        self.assertEqual(d["calls"], 50)
        self.assertTrue(0 < d["min_ns"] <= d["p50_ns"] <= d["p99_ns"] <= d["max_ns"])
        self.assertEqual(run("call", "seg", "none", "ping").returncode, 1)


class Top(Traffic):
    def test_rates_are_those_of_the_stream(self):
        self.hand("stream", "seg", "1000")
        hz = run("hz", "seg", "stream", "--times", "1", "--json")
        rate = json.loads(hz.stdout)["per_second"]
        self.assertGreater(rate, 10)
        self.assertLess(rate, 1100)
        (channel,) = run_json("top", "--times", "1", "--interval", "0.2")["channels"]
        self.assertEqual((channel["channel"], channel["senders"], channel["receivers"]), ("stream", 1, 1))
        self.assertGreater(channel["received_per_second"], 10)
        done = run("top", "--times", "2", "--interval", "0.05", "--filter", "nothing")
        self.assertEqual(done.stdout.count("no channels"), 2)
        self.assertEqual(run("top", "--sort", "colour").returncode, 64)

    def lines(self, *words):
        """top --json, a line a look: a function that gives the channels' segments of the next one."""
        top = self.start("tools/shmctl", "top", "--json", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        text = ""
        decoder = json.JSONDecoder()

        def look():
            nonlocal text
            while True:
                try:
                    document, end = decoder.raw_decode(text)
                except ValueError:
                    line = top.stdout.readline()
                    self.assertTrue(line, "top has ended")
                    text = (text + line).lstrip()
                    continue
                text = text[end:].lstrip()
                return [channel["segment"] for channel in document["channels"]]
        return top, look

    def test_what_comes_goes_is_replaced_or_cut_short_meanwhile(self):
        self.hand("send", "one", "jobs", "1")
        top, look = self.lines("--interval", "0.01")
        self.assertEqual(look(), ["one"])
        self.hand("send", "two", "jobs", "1")
        until(lambda: look() == ["one", "two"], "the new one")
        inode = os.stat(self.path("strait.one")).st_ino
        os.unlink(self.path("strait.one"))
        until(lambda: look() == ["two"], "the end of the removed one")
        maps = f"/proc/{top.pid}/map_files"
        inodes = [os.stat(os.path.join(maps, name)).st_ino for name in os.listdir(maps)]
        self.assertNotIn(inode, inodes, "it keeps the memory of a removed segment")
        self.hand("send", "one", "other", "1")
        until(lambda: look() == ["one", "two"], "the one of the same name")
        os.truncate(self.path("strait.two"), 8192)
        until(lambda: look() == ["one"], "the end of the short one")
        self.assertIsNone(top.poll())

    @unittest.skipUnless(shutil.which("strace"), "there is no strace")
    @unittest.skipIf(SANITIZED, "a sanitizer opens and maps things of its own")
    def test_a_look_opens_nothing(self):
        self.hand("send", "seg", "jobs", "1")
        trace = self.path("trace")
        for words in (("seg",), ()):
            done = subprocess.run(["strace", "-o", trace, "-e", "trace=openat,mmap,munmap,pread64,newfstatat", SHMCTL, "top", *words,
                                   "--interval", "0.01", "--times", "40"], capture_output=True, timeout=20)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(trace) as file:
                calls = file.read().splitlines()
            last = max(i for i, line in enumerate(calls) if "O_RDONLY" in line)  # the segment, or the folder's list
            self.assertEqual({line.split("(")[0] for line in calls[last + 1:] if "=" in line} - {"newfstatat", "munmap", "mmap"}, set())
            self.assertGreater(sum("strait.seg" in line and "newfstatat" in line for line in calls), 39)
            self.assertLess(len(calls), 200)

    def test_a_file_cut_short_under_its_hands_gives_the_screen_back(self):
        self.hand("send", "seg", "jobs", "1")
        near, far = pty.openpty()
        top = self.start("tools/shmctl", "top", stdin=far, stdout=far, stderr=far)
        os.close(far)
        seen = b""
        while b"jobs" not in seen:
            seen += os.read(near, 1 << 16)
        top.send_signal(signal.SIGBUS)  # what reading behind the end is
        self.assertEqual(top.wait(20), 3)
        rest = b""
        try:
            while piece := os.read(near, 1 << 16):
                rest += piece
        except OSError:
            pass  # the end, of a terminal
        os.close(near)
        self.assertIn(b"\033[?1049lshmctl: the file became shorter", rest)

    @unittest.skipUnless(shutil.which("tmux"), "there is no tmux")
    def test_top_on_a_terminal(self):
        self.hand("send", "seg", "jobs", "64")
        server = ["tmux", "-L", f"strait-{os.getpid()}", "-f", "/dev/null"]
        where = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"}

        def tmux(*words):
            return subprocess.run([*server, *words], capture_output=True, text=True, env=where, timeout=20).stdout

        tmux("-u", "new-session", "-d", "-x", "160", "-y", "20", f"STRAIT_DIR={self.dir} {SHMCTL} top -i 0.1; echo over; cat")
        self.addCleanup(lambda: tmux("kill-server"))
        page = until(lambda: (text := tmux("capture-pane", "-p")) and "jobs" in text and text, "the page")
        lines = page.splitlines()
        self.assertIn("shmctl top: 1 channels, each 0.1 s, by rate", lines[0])
        self.assertIn("▕██████████▏", page)
        tmux("resize-window", "-x", "60")
        page = until(lambda: (text := tmux("capture-pane", "-p")) and "TX-A" not in text and "jobs" in text and text, "a narrow page")
        self.assertEqual([line.split()[0] for line in page.splitlines() if line.strip()], ["shmctl", "SEGMENT", "seg"], page)
        tmux("resize-window", "-x", "160")
        page = until(lambda: (text := tmux("capture-pane", "-p")) and "TX-A" in text and text, "the wide page")
        self.assertIn("64/64", page)
        tmux("send-keys", "s")
        until(lambda: "by depth" in tmux("capture-pane", "-p"), "the other order")
        tmux("send-keys", "q")
        page = until(lambda: (text := tmux("capture-pane", "-p")) and "over" in text and text, "its end")
        self.assertNotIn("jobs", page, "the screen was not given back")


if __name__ == "__main__":
    unittest.main()
