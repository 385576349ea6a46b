#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What --json prints, of every subcommand, against the table in docs/SHMCTL.md: the schema's name, the version, and every
member, in both directions."""

import json
import os
import re
import subprocess
import unittest

from common import Place, run, until

HAND = "tests/shmctl/shmctl-hand"
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/SHMCTL.md")
LEASE = "a lease"  # the row of members that other rows refer to


def documented():
    """Schema -> the members that its row names; the version."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    section = text[text.index("## JSON"):]
    section = section[:section.index("\n## ", 1)]
    rows = {}
    for line in section.splitlines():
        cells = line.split(" | ")
        if len(cells) != 2 or not line.startswith("| ") or "schema" in cells[0]:
            continue
        members = set(re.findall(r"`(\w+)(?:\[\])?`", cells[1]))
        for name in re.findall(r"`(\w+)`", cells[0]) or [cells[0].strip("| ")]:
            rows[name] = members | (rows.get(name) or set())
        if "a lease" in cells[1] or "(leases)" in cells[1] or "`leases[]`" in cells[1]:
            for name in re.findall(r"`(\w+)`", cells[0]):
                rows[name] = rows[name] | {LEASE}
    version = int(re.search(r'"version": (\d+)', section)[1])
    lease = rows.pop(LEASE)
    return {name: (members - {LEASE}, lease if LEASE in members else set()) for name, members in rows.items()}, version


def members(value):
    """Every name of a member, at whatever depth."""
    if isinstance(value, dict):
        return set(value).union(*(members(v) for v in value.values()))
    if isinstance(value, list):
        return set().union(*(members(v) for v in value))
    return set()


class Documents(Place):
    seen = {}

    def hand(self, *words):
        process = self.start(HAND, *words, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def meet(self, command, *words, code=(0,), stdin=None):
        """Run it, check each document, remember its members."""
        done = run(command, *words, "--json", input=stdin)
        self.assertIn(done.returncode, code, (command, words, done.stderr))
        found = []
        decoder = json.JSONDecoder()
        text = done.stdout.lstrip()
        while text:
            document, end = decoder.raw_decode(text)
            text = text[end:].lstrip()
            self.assertEqual(document.pop("schema"), "strait.shmctl." + command)
            self.assertEqual(document.pop("version"), self.version, command)
            found.append(document)
            self.seen.setdefault(command, set()).update(members(document))
        self.assertTrue(found, f"{command} has printed nothing")
        return found

    def scene(self):
        """Something of everything: the disaster, a channel and a pool with traffic, a death."""
        disaster = self.start("examples/disaster", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        until(lambda: "now:" in disaster.stdout.readline())
        self.hand("send", "seg", "jobs", "5")
        self.hand("serve", "seg", "workers")
        self.hand("stream", "run", "500")
        self.hand("send", "dead", "letters", "1")
        for _ in range(3):  # becomes a dead letter
            dies = self.hand("peek", "dead", "letters")
            dies.kill()
            dies.wait()
        self.hand("count", "dead", "n")
        dies = self.hand("lock", "dead", "table")
        dies.kill()
        dies.wait()

    def test_every_subcommand(self):
        rows, self.version = documented()
        self.scene()
        self.meet("repair", "dead")
        for command in ("ls", "ps", "tree", "limits", "errors", "exporter", "numa", "doctor", "check", "blame", "deadlock",
                        "verify"):
            words = ("seg",) if command == "verify" else ()
            self.meet(command, *words, code=(0, 1, 2))
        for segment in ("disaster", "seg", "dead"):
            self.meet("show", segment)
        self.meet("heal", "dead", "table")
        self.spoil("dead")
        self.meet("verify", "dead", code=(3,))
        self.meet("letters", "dead", "letters", code=(0, 1))
        self.meet("top", "--times", "2", "--interval", "0.02")
        self.meet("hz", "run", "stream", "--times", "1", "--interval", "0.02")
        self.meet("tap", "run", "stream", "--count", "3")
        self.meet("record", "seg", "jobs", self.path("kept"), "--oldest", "--count", "5")
        self.meet("snapshot", "seg", self.path("snap"))
        self.meet("recv", "seg", "jobs", "--count", "1")
        self.meet("drain", "seg", "jobs", "--print", "--count", "2")
        receiver = self.start("tools/shmctl", "recv", "seg", "jobs", stdout=subprocess.DEVNULL)
        until(lambda: self.meet("show", "seg", "jobs")[0]["objects"][0]["channel"]["receivers"], "the receiver")
        self.meet("send", "seg", "jobs", "one", "two")
        self.meet("replay", "seg", "jobs", self.path("kept"), "--fast")
        receiver.kill()
        receiver.wait()
        self.meet("call", "seg", "workers", "ping")
        self.meet("latency", "seg", "workers", "--count", "3")
        self.meet("close", "seg", "jobs")
        self.meet("rm", "seg", "jobs")
        self.meet("gc", "--dry-run")
        self.meet("bridge")
        commands = [line.split()[0] for line in run("--help").stdout.split("\n\n")[1].splitlines()]
        self.assertEqual(set(self.seen), set(commands) - {"completion"})
        for command in sorted(self.seen):
            with self.subTest(command):
                said, lease = rows[command]
                self.assertEqual(self.seen[command] - said - lease, set(), "printed, and not documented")
                if command == "bridge":
                    continue  # there is none in this scene: tests/bridge has them
                self.assertEqual(said - self.seen[command] - lease - self.rare(command), set(), "documented, and not printed")

    def rare(self, command):
        """Members that this scene need not have."""
        return {"verify": {"lease", "ring", "reply", "slot", "field", "object"}, "ls": {"reason"}, "tap": {"gap"}, "show": {"damaged"}, "doctor": {"fine", "note", "bad"},
                "exporter": {"url"}}.get(command, set())

    def spoil(self, name):
        with open(self.path("strait." + name), "r+b") as file:
            file.seek(file.read().rindex(b"table\0") - 32)  # the entry, not an error of that name
            file.write(b"\7")  # no such state of an entry


if __name__ == "__main__":
    unittest.main()
