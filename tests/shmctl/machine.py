#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shmctl doctor, check, exporter, errors, numa; help, completion and manual of all subcommands."""

import json
import os
import re
import shutil
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from common import BUILD, SHMCTL, Place, run, run_json, until

HAND = "tests/shmctl/shmctl-hand"


def commands():
    shown = run("--help").stdout
    return [line.split()[0] for line in shown.split("\n\n")[1].splitlines()]


class Machine(Place):
    def hand(self, *words):
        process = self.start(HAND, *words, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def kill(self, process):
        process.kill()
        process.wait()

    def errors_of_a_death(self, pid, began):
        document = run_json("errors")
        self.assertEqual({(e["kind"], e["object"]) for e in document["errors"]}, {("died", ""), ("lock-died", "r")})
        for error in document["errors"]:
            self.assertEqual((error["count"], error["last_pid"], error["last_program"]), (1, pid, "shmctl-hand"))
            # the kernel's coarse clock lags by a tick
            self.assertTrue(began - 20_000_000 <= error["first_ns"] <= error["last_ns"] <= time.time_ns(), error)
        self.assertEqual(document["beyond"], 0)
        done = run("errors")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, rf"seg +r +1 +\d+ m?s ago +\d+ m?s ago +shmctl-hand \(pid {pid}\) +owners died inside")
        kept = self.path("kept")
        run("snapshot", "seg", kept)
        self.assertEqual(run_json("errors", kept)["errors"][0]["last_pid"], pid)

    def test_check_says_it_in_one_line(self):
        done = run("check")
        self.assertEqual((done.returncode, done.stdout.count("\n")), (0, 1))
        self.assertTrue(done.stdout.startswith("STRAIT OK - 0 segments"))
        began = time.time_ns()
        self.assertEqual((run("errors").returncode, run("errors").stdout), (0, "none so far\n"))
        lives = self.hand("lock", "seg", "r")
        self.assertEqual(run("check").returncode, 0)
        self.kill(lives)
        done = run("check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("WARNING", done.stdout)
        self.assertIn("1 dead", done.stdout)
        self.assertEqual(run_json("check")["dead"], 1)
        run("repair", "seg")
        self.assertEqual(run_json("check")["suspect"], 1)
        self.errors_of_a_death(lives.pid, began)
        play = self.start("examples/disaster", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        until(lambda: "now:" in play.stdout.readline())
        done = run("check", "disaster")
        self.assertEqual(done.returncode, 2)
        self.assertIn("CRITICAL", done.stdout)
        play.communicate("\n")

    def test_the_doctor_finds_leftovers_and_has_a_remedy(self):
        self.kill(self.hand("send", "seg", "jobs", "1"))
        findings = {f["topic"]: f for f in run_json("doctor")["findings"]}
        self.assertEqual(findings["leftovers"]["level"], "note")
        self.assertIn("shmctl gc", findings["leftovers"]["remedy"])
        for topic in ("space", "event loop", "membarrier", "seccomp", "RemoveIPC", "namespaces", "open files"):
            self.assertIn(topic, findings)
        self.assertTrue(all("remedy" in f for f in findings.values() if f["level"] != "fine"))
        self.assertEqual(run("doctor", "-d", self.path("none")).returncode, 1)
        low = subprocess.run(["sh", "-c", f"ulimit -n 32; exec {SHMCTL} doctor --json"], capture_output=True, text=True)
        self.assertEqual([f["level"] for f in json.loads(low.stdout)["findings"] if f["topic"] == "open files"], ["bad"])

    def metrics(self, text):
        values = {}
        for line in text.splitlines():
            if line.startswith("#"):
                self.assertRegex(line, r"^# (HELP strait_\w+ .+|TYPE strait_\w+ (gauge|counter))$")
                continue
            name, value = re.fullmatch(r'(strait_\w+(?:\{segment="[^"]*",channel="[^"]*"\})?) (\d+)', line).groups()
            self.assertNotIn(name, values)
            values[name] = int(value)
        return values

    def test_the_exporter_writes_what_prometheus_reads(self):
        self.hand("send", "seg", "jobs", "5")
        values = self.metrics(run("exporter").stdout)
        self.assertEqual(values['strait_channel_sent_total{segment="seg",channel="jobs"}'], 5)
        self.assertEqual(values["strait_processes_alive"], 1)
        file = self.path("out.prom")
        self.assertEqual(run("exporter", "--file", file).returncode, 0)
        with open(file) as written:
            self.assertEqual(self.metrics(written.read()).keys(), values.keys())
        if self.no_http():
            self.assertIn("built without", run("exporter", "--listen", "0").stderr)
            return
        server = self.start("tools/shmctl", "exporter", "--listen", "0", stdout=subprocess.PIPE, text=True)
        url = server.stdout.readline().strip()
        with urllib.request.urlopen(url, timeout=10) as answer:
            self.assertEqual(self.metrics(answer.read().decode()).keys(), values.keys())
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(url.replace("metrics", "other"), timeout=10)
        self.assertEqual(run("exporter", "--listen", "nowhere").returncode, 64)

    def no_http(self):
        return subprocess.run(["ldd", SHMCTL], capture_output=True, text=True).stdout.find("microhttpd") < 0

    def test_pages_lie_on_nodes(self):
        self.hand("send", "seg", "jobs", "5")
        (row,) = run_json("numa", "seg")["objects"]
        self.assertEqual(row["asked"], -1)
        self.assertEqual(sum(p["pages"] for p in row["pages"]) * 4096,
                         run_json("show", "seg")["objects"][0]["bytes"])

    def test_a_corrupted_file_is_met_with_words(self):
        with open(self.path("strait.bad"), "wb") as file:
            file.write(bytes(range(256)) * 64)
        for command in ("show", "ps", "tree", "limits", "blame", "deadlock", "verify", "repair", "rm", "numa", "errors"):
            done = run(command, "bad")
            self.assertEqual(done.returncode, 3, (command, done.stderr))
            self.assertIn("not a", done.stderr)


class Probes(unittest.TestCase):
    PROBES = {"claim_full", "sleep", "wake", "sweep", "owner_died", "redelivery"}

    def test_the_library_has_them(self):
        notes = subprocess.run(["readelf", "-n", os.path.join(BUILD, "lib/libstrait.so")], capture_output=True, text=True)
        self.assertEqual(notes.returncode, 0, notes.stderr)
        if "stapsdt" not in notes.stdout:
            self.assertFalse(os.path.exists("/usr/include/sys/sdt.h") or os.path.exists(
                "/usr/include/x86_64-linux-gnu/sys/sdt.h"), "sys/sdt.h is here, and no probe was built")
            self.skipTest("SKIPPED: built without sys/sdt.h")
        names = re.findall(r"Provider: strait\n\s+Name: (\w+)", notes.stdout)
        self.assertEqual(set(names), self.PROBES)


class Help(unittest.TestCase):
    def test_every_subcommand_has_a_page_with_an_example(self):
        names = commands()
        self.assertGreaterEqual(len(names), 30)
        for name in names:
            if name == "completion":
                continue
            shown = run(name, "--help").stdout
            self.assertTrue(shown.startswith(f"usage: shmctl {name} "), name)
            self.assertIn(f"  shmctl {name}", shown)
            self.assertIn("--json", shown)
            for line in shown.splitlines():
                self.assertLessEqual(len(line), 121, line)

    def test_completions_know_every_subcommand_and_parse(self):
        for shell in ("bash", "zsh", "fish"):
            script = run("completion", shell).stdout
            for name in commands():
                self.assertIn(name, script)
            self.assertIn("keep-messages", script)
            if shutil.which(shell):
                done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), shell)
        self.assertEqual(run("completion", "tcsh").returncode, 64)

    def test_bash_completes(self):
        probe = ('source <("$0" completion bash); COMP_WORDS=(shmctl "$@"); COMP_CWORD=$#; _shmctl; '
                 'printf "%s\\n" "${COMPREPLY[@]}"')

        def complete(*words):
            return subprocess.run(["bash", "-c", probe, SHMCTL, *words], capture_output=True, text=True).stdout.split()
        self.assertEqual(complete("dea"), ["deadlock"])
        self.assertIn("--dot", complete("deadlock", "--d"))

    @unittest.skipUnless(shutil.which("scdoc"), "there is no scdoc")
    def test_the_manual_is_scdoc(self):
        page = "shmctl(1)\n\n# NAME\n\nshmctl - test\n\n# SUBCOMMANDS\n\n" + run("--manual").stdout
        done = subprocess.run(["scdoc"], input=page, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
