#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the tests of shmctl share: a folder for segments, the scene, running shmctl."""

import hashlib
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ["STRAIT_BUILD"]  # the build folder: meson.build says so
SHMCTL = os.path.join(BUILD, "tools/shmctl")
PATIENCE = 20  # seconds: the deadline that no honest step reaches


def run(*words, **more):
    """shmctl with these words: a CompletedProcess."""
    return subprocess.run([SHMCTL, *words], **{"capture_output": True, "text": True, "timeout": PATIENCE, **more})


def run_json(*words, **more):
    done = run(*words, "--json", **more)
    document = json.loads(done.stdout)
    assert document["schema"] == "strait.shmctl." + words[0] and document["version"] == 1, document
    return document


def state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def stop(pid):
    """SIGSTOP, and wait until it stands."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T", f"the stop of {pid}")


def until(true, what="it"):
    """Look until it is true; the result."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = true()
        if result:
            return result
        time.sleep(0.01)  # between looks, not to be in time
    raise AssertionError(f"{what} did not come")


class Place(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/dev/shm", prefix="strait-test-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        patched = os.environ.get("STRAIT_DIR")
        os.environ["STRAIT_DIR"] = self.dir
        self.addCleanup(lambda: os.environ.update(STRAIT_DIR=patched) if patched else os.environ.pop("STRAIT_DIR"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def play(self, *words):
        """Starts the scene, stops all who live in it."""
        process = subprocess.Popen([os.path.join(BUILD, "tests/shmctl/shmctl-stage"), *words], stdout=subprocess.PIPE, text=True)
        pids = [int(word) for word in process.stdout.readline().split()]
        self.assertEqual(process.stdout.readline(), "ready\n")
        self.pids = [pids[0], pids[2]]
        for pid in self.pids:
            stop(pid)

        def end():
            for pid in self.pids:
                os.kill(pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
        self.addCleanup(end)

    def start(self, program, *words, **more):
        """A program of the build that lives until the test ends."""
        process = subprocess.Popen([os.path.join(BUILD, program), *words], **more)

        def end():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self.addCleanup(end)
        return process

    def digest(self, name):
        with open(self.path(name), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
