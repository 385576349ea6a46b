# SPDX-License-Identifier: MIT
"""Two and three machines: channels, keys, calls, refusals, and strait-fetch with its workers elsewhere. The programs are those
that would run on one machine."""
import os
import re
import signal
import subprocess
import sys
import time

from hosts import BRIDGE, DOCUMENT, FETCH, NATS, ORIGIN, Case, main, wait_for


def blob(seed, size):
    """What the origin serves as /blob/SEED/BYTES: origin_fill."""
    most, words = (1 << 64) - 1, []
    for n in range((size + 7) // 8):
        x = (seed * 0x9e3779b97f4a7c15 + n) & most
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9 & most
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb & most
        words.append((x ^ (x >> 31)).to_bytes(8, sys.byteorder))
    return b"".join(words)[:size]


class TwoHosts(Case):
    def test_channel(self):
        """All messages, once, in order; the close follows them."""
        bridges = [self.a.bridge("--out", "jobs"), self.b.bridge("--in", "jobs")]
        consumer = self.b.app("consume", "jobs")
        producer = self.a.app("produce", "jobs", 0, 5000, "shut")
        self.assertEqual(producer.end(), 0, producer.errors())
        self.assertEqual(consumer.end(), 0, consumer.errors())
        self.assertEqual(consumer.lines(), ["ready"] + ["%d 0" % n for n in range(5000)])
        for h in (self.a, self.b):
            wait_for("closed", lambda: h.link("jobs")["state"] == "closed")
        for bridge in bridges: # a signal ends it at once, and nothing of it is left
            self.assertEqual(bridge.kill(signal.SIGTERM), 0, bridge.errors())

    def test_what_shmctl_shows(self):
        """Links, rates, lag, what came again, and since when a server cannot be reached."""
        self.a.bridge("--out", "jobs,limit=300")
        self.b.bridge("--in", "jobs")
        self.a.app("make", "channel", "jobs").says("made")
        self.b.app("make", "channel", "jobs").says("made")
        wait_for("nobody", lambda: (self.b.link("jobs") or {}).get("state") == "nobody")
        producer = self.a.app("produce", "jobs", 0, 400) # 300 lie in the stream, the others in the ring
        producer.says("sent")
        wait_for("full", lambda: self.a.link("jobs")["state"] == "full")
        wait_for("lag: %s %s" % (self.a.link("jobs"), self.b.link("jobs")),
                 lambda: (self.b.link("jobs")["lag"], self.a.link("jobs")["lag"] + self.a.link("jobs")["under_way"]) == (300, 100))
        consumer = self.b.app("consume", "jobs")
        wait_for("all of them", lambda: len(consumer.lines()) == 401)
        wait_for("a rate", lambda: self.a.link("jobs")["per_second"] > 0 and self.b.link("jobs")["per_second"] > 0)
        wait_for("no lag", lambda: self.b.link("jobs")["lag"] + self.a.link("jobs")["lag"] == 0)
        for h, kind, window in ((self.a, "out", 64), (self.b, "in", 4096)): # peek_window of the channel; docs/BRIDGE.md
            status, link = h.status(), h.link("jobs")
            self.assertEqual(set(status), {"segment", "bridge", "pid", "alive", "app", "server", "started_ns", "updated_ns",
                                           "unreachable_since_ns", "reconnects", "max_payload", "links"})
            self.assertEqual(set(link), {"kind", "name", "subject", "state", "messages", "bytes", "per_second", "under_way", "lag",
                                         "redelivered", "duplicates", "refused", "failed", "window", "last_ns"})
            self.assertEqual((status["segment"], status["bridge"], status["alive"], status["app"], status["server"],
                              status["unreachable_since_ns"], status["reconnects"], status["max_payload"]),
                             ("shop", "bridge", True, "shop", self.url, 0, 0, 1 << 20))
            self.assertEqual((link["kind"], link["name"], link["subject"], link["messages"], link["window"], link["bytes"]),
                             (kind, "jobs", "strait.shop.jobs", 400, window, sum(8 + n % 48 for n in range(400))))
            self.assertGreater(link["last_ns"], status["started_ns"])
        self.assertEqual(self.b.link("jobs")["redelivered"], 0)
        self.b.cable(False)
        since_ns = wait_for("b says so", lambda: self.b.status()["unreachable_since_ns"])
        self.assertGreater(since_ns, self.b.link("jobs")["last_ns"])
        self.assertEqual(self.b.link("jobs")["state"], "offline")
        self.b.cable(True)
        wait_for("b is back", lambda: self.b.status()["unreachable_since_ns"] == 0)
        self.assertEqual(self.b.status()["reconnects"], 1)

    def test_packs(self):
        """Messages that shared a slot are several for the server, too."""
        self.a.bridge("--out", "jobs")
        self.b.bridge("--in", "jobs")
        consumer = self.b.app("consume", "jobs")
        consumer.says("ready")
        producer = self.a.app("pack", "jobs", 2000)
        self.assertEqual(producer.end(), 0, producer.errors())
        self.assertEqual(consumer.end(), 0, consumer.errors())
        self.assertEqual(consumer.lines(), ["ready"] + ["%d 0" % (48 * n) for n in range(2000)])

    def test_calls(self):
        """Answers, parts with backpressure, a handler's error, a caller that leaves, and nobody there."""
        caller = self.a.bridge("--call", "pool")
        make = self.a.app("make", "pool", "pool")
        make.says("made")
        self.a.ready("pool")
        nobody = self.a.app("call", "pool", 0, 1)
        self.assertEqual(nobody.end(), 0)
        self.assertEqual(nobody.lines(), ["0 -112"]) # -EHOSTDOWN, at once
        self.b.bridge("--serve", "pool")
        worker = self.b.app("work", "pool")
        wait_for("a subscription", lambda: (self.b.link("pool") or {}).get("state") == "running")
        call = self.a.app("call", "pool", 0, 200)
        self.assertEqual(call.end(), 0, call.errors())
        self.assertEqual(call.lines(), ["%d %d" % (n, 2 * n + 1) for n in range(200)])
        big = self.a.app("big", "pool", 3000, 0)
        self.assertEqual(big.end(), 0, big.errors())
        self.assertEqual(big.lines()[-1], "parts 3000 restarts 0")
        # a caller that is killed in the middle: the worker is told, long before it has sent it all
        leaving = self.a.app("big", "pool", 1000000, 1000)
        leaving.says("begun")
        leaving.kill()
        left = time.monotonic()
        worker.says("unwanted after")
        self.assertLess(time.monotonic() - left, 10, "not told: found out by 15 s of silence")
        sent = int([l for l in worker.lines() if l.startswith("unwanted")][0].split()[-1])
        self.assertLess(sent, 10000, "no backpressure: a slow reader, and so much was sent")
        call = self.a.app("call", "pool", 7, 1)
        call.end()
        self.assertEqual(call.lines(), ["7 15"])
        self.assertTrue(caller.running())

    def test_strait_fetch(self):
        """The program as it is; its workers are on the other machine."""
        origin = self.b.run("origin", "sh", "-c", 'sleep 100000 | "$0"', ORIGIN) # it serves until its stdin ends
        wait_for("origin", lambda: origin.lines())
        port = origin.lines()[0]
        urls = os.path.join(self.root, "urls")
        with open(urls, "w") as f:
            for n in range(200):
                f.write("http://127.0.0.1:%s/blob/%d/%d\n" % (port, n, 1000 + 37 * n))
        out = os.path.join(self.root, "pages")
        os.makedirs(out)
        # 127.0.0.1 is the origin on machine b only: whatever arrives was fetched there
        fetch = self.a.run("fetch", FETCH, "-w", "0", "--segment", "fetching", "-c", "32", "-i", urls, "-o", out, "--json")
        self.b.bridge("--serve", "fetch")
        self.b.app("fetch", "fetch")
        wait_for("a subscription", lambda: (self.b.link("fetch") or {}).get("state") == "running")
        self.a.bridge("--call", "fetch", segment="fetching")
        self.assertEqual(fetch.end(), 0, fetch.errors() + fetch.text())
        bodies = []
        for name in os.listdir(out):
            with open(os.path.join(out, name), "rb") as f:
                bodies.append(f.read())
        self.assertEqual(sorted(map(len, bodies)), sorted(1000 + 37 * n for n in range(200)))
        for body in bodies:
            self.assertEqual(body, blob((len(body) - 1000) // 37, len(body)))


class Refusals(Case):
    hosts = ("a",)
    server_options = "max_payload: 2048"

    def refused(self, words, *arguments):
        bridge = self.a.bridge(*arguments)
        self.assertEqual(bridge.end(), 1, bridge.errors())
        self.assertIn(words, bridge.errors())

    def test_what_does_not_cross(self):
        for kind in ("region", "counter"):
            self.a.app("make", kind, kind).says("made")
            self.refused("is a " + kind, "--out", kind)
        self.a.app("make", "pool", "pool").says("made")
        self.refused("--call and --serve are for those", "--in", "pool")
        self.a.app("make", "channel", "plain").says("made")
        self.refused("--out is for such channels", "--call", "plain")
        self.a.app("make", "channel", "large", 4096, 64).says("made")
        self.refused("raise max_payload", "--out", "large")
        for circle in (("--out", "plain", "--in", "plain"), ("--call", "pool", "--serve", "pool")):
            bridge = self.a.bridge(*circle)
            self.assertEqual(bridge.end(), 2)
            self.assertIn("circles", bridge.errors())

    def configured(self, text):
        path = os.path.join(self.root, "bridge.conf")
        with open(path, "w") as f:
            f.write(text)
        return self.a.run("bridge", BRIDGE, "--config", path)

    def test_config(self):
        """The options as lines of a file; what is not one is refused, with the line."""
        good = "# shop\n\nserver %s\napp=shop\r\nsegment shop\n\tout plain,limit=7\nquiet" % self.url
        for text, words in ((good + "\nout", "begins with 'out'"), (good + "\nout a b", "begins with 'out'"),
                            (good + "\nquiet yes", "begins with 'quiet'"), (good + "\nconfig x", "begins with 'config'"),
                            (good + "\nout a,limit=x", "a,limit=x"), ("", "empty file")):
            bridge = self.configured(text)
            self.assertEqual(bridge.end(), 2, text)
            self.assertIn(words, bridge.errors())
        self.a.app("make", "channel", "plain").says("made")
        bridge = self.configured(good)
        self.a.ready("plain")
        self.assertEqual(self.a.link("plain")["subject"], "strait.shop.plain")
        self.assertEqual(bridge.errors(), "")

    def test_one_bridge_of_a_name(self):
        self.a.app("make", "channel", "plain").says("made")
        self.a.bridge("--out", "plain")
        self.a.ready("plain")
        self.refused("another bridge", "--out", "plain")


class ThreeHosts(Case):
    hosts = ("a", "b", "c")
    server_options = 'mappings: { "strait.shop.keyed.*": "strait.shop.keyed.{{partition(2,1)}}.{{wildcard(1)}}" }'

    def test_work_is_shared(self):
        """Producers on two machines, consumers on the third and one of them; calls from a to b and c."""
        self.a.bridge("--out", "jobs", "--call", "pool")
        self.b.bridge("--in", "jobs", "--serve", "pool")
        self.c.bridge("--in", "jobs", "--serve", "pool")
        consumers = [self.b.app("consume", "jobs", 100), self.c.app("consume", "jobs", 100)]
        for c in consumers:
            c.says("ready")
        self.b.ready("jobs")
        self.c.ready("jobs")
        producers = [self.a.app("produce", "jobs", 0, 3000), self.a.app("produce", "jobs", 3000, 3000)]
        for p in producers:
            p.says("sent")
        wait_for("all of them", lambda: self.count_seen(consumers) == 6000)
        self.check_history(consumers, 6000, 0)
        for c in consumers:
            self.assertGreater(len(c.lines()), 500, "one machine did nearly everything")
        workers = [self.b.app("work", "pool"), self.c.app("work", "pool")]
        for w in workers:
            w.says("ready")
        for h in (self.b, self.c):
            wait_for("a subscription", lambda: h.link("pool")["state"] == "running")
        calls = [self.a.app("call", "pool", 1000 * i, 100) for i in range(4)]
        for i, c in enumerate(calls):
            self.assertEqual(c.end(), 0, c.errors())
            self.assertEqual(c.lines(), ["%d %d" % (n, 2 * n + 1) for n in range(1000 * i, 1000 * i + 100)])
        for w in workers:
            self.assertGreater(len(w.lines()), 50, "one machine answered nearly everything")

    def test_close_waits_for_all(self):
        """What is not acknowledged on one machine keeps the channel open on all, though its close has come to another."""
        self.a.bridge("--out", "jobs")
        self.b.bridge("--in", "jobs")
        self.c.bridge("--in", "jobs")
        consumers = [self.b.app("consume", "jobs"), self.c.app("consume", "jobs")]
        for c in consumers:
            c.says("ready")
        consumers[0].hold()
        self.b.ready("jobs")
        self.c.ready("jobs")
        producer = self.a.app("produce", "jobs", 0, 1000, "shut")
        self.assertEqual(producer.end(), 0, producer.errors())
        wait_for("the rest", lambda: self.count_seen(consumers) + self.b.link("jobs")["under_way"] == 1000)
        held = self.b.link("jobs")["under_way"]
        self.assertGreater(held, 0)
        consumer = ("CONSUMER", "INFO", "strait_shop_jobs", "strait")
        wait_for("the close is with c", lambda: self.ask_server(*consumer)["num_ack_pending"] == held + 1)
        until = time.monotonic() + 1 # c looks ten times a second whether it may close
        wait_for("a second", lambda: time.monotonic() > until)
        self.assertEqual([h.link("jobs")["state"] for h in (self.b, self.c)], ["running", "running"])
        consumers[0].go_on()
        for c in consumers:
            self.assertEqual(c.end(), 0, c.errors())
        self.check_history(consumers, 1000, 0)
        wait_for("an empty stream", lambda: self.stored("jobs") == 0)

    def test_keys(self):
        """The server spreads the tags over two parts: a key's messages all go to one machine, in order."""
        self.a.bridge("--out", "keyed,key=tag")
        self.b.bridge("--in", "keyed,partition=0")
        self.c.bridge("--in", "keyed,partition=1")
        consumers = [self.b.app("consume", "keyed"), self.c.app("consume", "keyed")]
        for c in consumers:
            c.says("ready")
        producer = self.a.app("produce", "keyed", 0, 2000, "shut")
        self.assertEqual(producer.end(), 0, producer.errors())
        for c in consumers:
            self.assertEqual(c.end(), 0, c.errors())
        self.check_history(consumers, 2000, 0)
        keys = []
        for c in consumers:
            numbers = [int(l.split()[0]) for l in c.lines()[1:]]
            keys.append({n % 16 for n in numbers})
            for key in keys[-1]:
                of_key = [n for n in numbers if n % 16 == key]
                self.assertEqual(of_key, sorted(of_key), "a key's messages out of order")
        self.assertEqual(keys[0] & keys[1], set())
        self.assertTrue(keys[0] and keys[1])


class Documented(Case):
    """The deployment that docs/BRIDGE.md shows: its configuration and its command lines, as they stand there."""
    hosts = ("a", "b", "c")

    def start_server(self):
        with open(DOCUMENT) as f:
            self.document = f.read()
        path = os.path.join(self.root, "nats-server.conf")
        with open(path, "w") as f:
            f.write(re.search(r"\$ cat /etc/nats-server.conf\n(.*?)\$ nats-server -c", self.document, re.S)[1])
        subprocess.run(["nsenter", "-t", str(self.hub.init), "-m", "sh", "-ec",
                        "mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/nats"], check=True)
        self.server = self.hub.run("nats", NATS, "-c", path)
        wait_for("the server: " + self.server.errors(), lambda: "Server is ready" in self.server.errors())
        names = os.path.join(self.root, "hosts")
        with open(names, "w") as f:
            f.write("10.77.0.1 hub\n127.0.0.1 localhost\n")
        for name in self.hosts:
            subprocess.run(["nsenter", "-t", str(getattr(self, name).init), "-m", "mount", "--bind", names, "/etc/hosts"],
                           check=True)

    def test_three_machines(self):
        lines = re.findall(r"^([abc])\$ strait-bridge (.*)$", self.document, re.M)
        self.assertEqual([name for name, _ in lines], ["a", "b", "c"])
        for name, arguments in lines:
            getattr(self, name).run("bridge", BRIDGE, *arguments.split())
        consumers = [self.b.app("consume", "jobs", 100), self.c.app("consume", "jobs", 100)]
        results = self.a.app("consume", "results")
        workers = [self.b.app("work", "render"), self.c.app("work", "render")]
        self.a.app("make", "pool", "render").says("made")
        for p in consumers + workers + [results]:
            p.says("ready")
        for h in (self.b, self.c):
            h.ready("jobs")
            wait_for("a subscription", lambda: h.link("render")["state"] == "running")
        self.a.app("produce", "jobs", 0, 2000).says("sent")
        self.b.app("produce", "results", 0, 500).says("sent")
        self.c.app("produce", "results", 500, 500).says("sent")
        call = self.a.app("call", "render", 0, 100)
        self.assertEqual(call.end(), 0, call.errors())
        self.assertEqual(call.lines(), ["%d %d" % (n, 2 * n + 1) for n in range(100)])
        wait_for("jobs", lambda: self.count_seen(consumers) == 2000)
        wait_for("results", lambda: self.count_seen([results]) == 1000)
        self.check_history(consumers, 2000, 0)
        self.check_history([results], 1000, 0)
        self.assertRegex(self.a.shmctl("bridge", "shop"), r"out +jobs +running +2000 ")


main()
