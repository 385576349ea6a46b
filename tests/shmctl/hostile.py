#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every subcommand that looks, on files that lie: the corpus of tests/fuzz as it is, and as patches on a good segment; a
good one that is cut, and one that is swept, grown and deleted while it is shown. Words and an exit code, nothing written."""

import glob
import hashlib
import os
import random
import shutil
import subprocess
import unittest

from common import PATIENCE, SHMCTL, Place, run

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fuzz/corpus")
SEVERAL = ("ps", "tree", "limits", "blame", "deadlock", "errors", "check", "numa", "exporter", "bridge")
SINGLE = ("show", "verify")
AT_ONCE = 30


class Hostile(Place):
    def image(self):
        self.play()
        with open(self.path("strait.scene"), "rb") as file:
            return file.read()[:512 * 1024], os.path.getsize(self.path("strait.scene"))

    def write(self, name, content, size=0):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content)
            file.truncate(max(size, len(content)))
        os.chmod(path, 0o444)
        return path

    def meet(self, command, *words):
        for more in ((), ("--json",)):
            done = run(command, *words, *more, text=False)
            self.assertIn(done.returncode, (0, 1, 2, 3), (command, words, done.stderr[-2000:]))
            self.assertNotIn(b"Sanitizer", done.stderr)
            self.assertNotIn(b"\033", done.stdout)

    def digests(self, paths):
        found = []
        for path in paths:
            with open(path, "rb") as file:
                found.append((os.path.getsize(path), hashlib.sha256(file.read(512 * 1024)).hexdigest()))
        return found

    def look_at(self, paths):
        before = self.digests(paths)
        for i in range(0, len(paths), AT_ONCE):
            for command in SEVERAL:
                self.meet(command, *paths[i:i + AT_ONCE])
        for path in paths[::5]:
            for command in SINGLE:
                self.meet(command, path)
            self.meet("letters", path, "jobs")
            self.meet("tap", path, "jobs", "--seconds", "0.001", "--oldest")
        self.assertEqual(self.digests(paths), before, "it has written")

    def read_only(self, *words):
        """shmctl where the folder cannot be written to, not even by root."""
        script = ('mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || { echo "SKIPPED: no mounting here"; exit 77; }; '
                  'shift; exec "$@"')
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", self.dir, SHMCTL, *words], capture_output=True,
                              text=True, timeout=PATIENCE)

    @unittest.skipUnless(shutil.which("unshare"), "there is no unshare")
    def test_who_looks_needs_no_permission_to_write(self):
        self.play()
        done = self.read_only("repair", "scene")
        if done.returncode == 77 or "unshare" in done.stderr:
            self.skipTest(done.stdout + done.stderr)
        self.assertIn("Read-only file system", done.stderr, "the folder can be written to")
        names = [(command,) for command in SEVERAL + ("ls", "doctor")] + [(command, "scene") for command in SINGLE] + [
            ("letters", "scene", "jobs"), ("tap", "scene", "jobs", "--oldest", "--count", "1"), ("top", "--times", "1", "-i", "0.01"),
            ("hz", "scene", "jobs", "--times", "1", "-i", "0.01"), ("gc", "--dry-run"), ("snapshot", "scene", "/dev/full")]
        for words in names:
            done = self.read_only(*words)
            self.assertIn(done.returncode, (0, 1, 2), (words, done.stderr))
            self.assertNotIn("Read-only", done.stderr, words)
            self.assertTrue(done.stdout or words[0] == "snapshot", words)

    def test_the_corpus_as_files(self):
        files = sorted(glob.glob(os.path.join(CORPUS, "*", "*")))
        self.assertGreater(len(files), 20)
        self.look_at(files[::4][:60])

    def test_the_corpus_as_patches(self):
        image, size = self.image()
        files = sorted(glob.glob(os.path.join(CORPUS, "attach", "*")))[:30]
        paths = []
        for n, name in enumerate(files):
            with open(name, "rb") as file:
                patch = file.read()
            bytes_ = bytearray(image)
            # a place, a value, again and again
            for i in range(0, len(patch) - 7, 8):
                at = int.from_bytes(patch[i:i + 4], "little") % (len(image) - 8)
                bytes_[at:at + 4] = patch[i + 4:i + 8]
            paths.append(self.write(f"patched-{n}", bytes_, size))
        self.look_at(paths)

    def test_random_words_of_living_objects(self):
        image, size = self.image()
        random.seed(1)
        used = [at for at in range(0, len(image) - 8, 8) if image[at:at + 8] != b"\0" * 8]
        evil = [b"\xff" * 8, b"\0" * 8, b"\xff\xff\xff\x7f" + b"\0" * 4, (2**40).to_bytes(8, "little"),
                (4096).to_bytes(8, "little")]
        paths = []
        for n in range(30):
            bytes_ = bytearray(image)
            for _ in range(1 + n % 8):
                at = random.choice(used[8:])
                bytes_[at:at + 8] = random.choice(evil)
            paths.append(self.write(f"words-{n}", bytes_, size))
        self.look_at(paths)

    def test_a_file_that_is_cut_while_it_is_read(self):
        image, size = self.image()
        for length in (0, 10, 4096, 8192, len(image) // 2):
            self.look_at([self.write(f"cut-{length}", image[:length])])
        path = self.write("shrinks", image, size)
        os.chmod(path, 0o644)
        tap = self.start("tools/shmctl", "top", path, "--interval", "0.01", stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
        with open(path, "r+b") as file:
            file.truncate(4096)
        self.assertIn(tap.wait(timeout=10), (1, 3), "it has gone on")
        self.assertIn(b"shmctl: ", tap.stderr.read())

    def test_one_that_comes_and_goes_while_it_is_shown(self):
        racers = []
        for seed in range(2):
            racer = self.start("tests/shmctl/shmctl-hand", "race", str(seed), stdout=subprocess.PIPE, text=True)
            racer.stdout.readline()
            racers.append(racer)
        for round_ in range(6):
            run("gc")
            for command in SEVERAL + ("ls",):
                done = run(command)
                self.assertIn(done.returncode, (0, 1, 2), (command, done.stderr))
            done = run("show", f"race-{round_ % 4}")
            self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual([racer.poll() for racer in racers], [None, None])


if __name__ == "__main__":
    unittest.main()
