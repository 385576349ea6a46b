# SPDX-License-Identifier: MIT
"""What goes wrong between machines, and what the history says then: nothing is lost, what comes twice is marked and no more than
promised, and everything goes on by itself."""
import signal
import time

from hosts import SHORT, Case, main, wait_for

COUNT = 3000 if SHORT else 6000
RING = 256 # what a machine may hold when it dies


class Three(Case):
    """A sends to b and c. `ack_wait` is the silence after which what one of them has goes to the other."""
    hosts = ("a", "b", "c")
    ack_wait = 1.5

    def setUp(self):
        super().setUp()
        self.way_in = "jobs,ack-wait=%s" % self.ack_wait
        self.bridges = {"a": self.a.bridge("--out", "jobs"), "b": self.b.bridge("--in", self.way_in),
                        "c": self.c.bridge("--in", self.way_in)}

    def start(self, pause_us=200, hosts=("b", "c"), count=COUNT, send_pause_us=0):
        consumers = []
        for name in hosts:
            consumers.append(getattr(self, name).app("consume", "jobs", pause_us))
            consumers[-1].says("ready")
        for name in hosts:
            getattr(self, name).ready("jobs")
        self.producer = self.a.app("produce", "jobs", 0, count, send_pause_us)
        return consumers

    def finish(self, consumers, most_duplicates, count=COUNT, channel="jobs"):
        """All has come, and all is acknowledged: nothing will come any more."""
        alive = [h for h in (self.a, self.b, self.c) if h.alive]
        wait_for("all %d; %s" % (count, [h.status() for h in alive]), lambda: self.count_seen(consumers) >= count)
        wait_for("the last acknowledgement; %s" % [h.status() for h in alive], lambda: self.unsettled(channel) == 0)
        duplicates = self.check_history(consumers, count, most_duplicates)
        print("  %d messages, %d came twice, all of those marked" % (count, duplicates))

    def at(self, consumers, share, count=COUNT):
        wait_for("a share of the messages", lambda: self.count_seen(consumers) >= share * count)

class Here(Three):
    """Who is to have a message keeps it: no machine dies, or falls silent for so long, even where the test is slow."""
    ack_wait = 10

    def test_bridge_of_the_senders_killed(self):
        consumers = self.start()
        for i in range(1, 6):
            self.at(consumers, i * 0.12)
            self.bridges["a"].kill_child()
        self.finish(consumers, 0) # its successor publishes under the same ids, and the server knows them

    def test_bridge_of_the_receivers_killed(self):
        consumers = self.start()
        for i in range(1, 6):
            self.at(consumers, i * 0.12)
            self.bridges["bc"[i % 2]].kill_child()
        self.finish(consumers, 5) # one between commit and note for each death

    def test_consumer_killed(self):
        consumers = self.start()
        for i in range(1, 5):
            self.at(consumers, i * 0.15)
            consumers[-1].kill()
            consumers.append(self.c.app("consume", "jobs", 200))
        self.finish(consumers, 4)

    def test_slow_consumer(self):
        """b is slow: it is not given more than its ring holds, and c does the rest."""
        consumers = [self.b.app("consume", "jobs", 20000), self.c.app("consume", "jobs")]
        for c in consumers:
            c.says("ready")
        self.b.ready("jobs")
        self.c.ready("jobs")
        self.producer = self.a.app("produce", "jobs", 0, COUNT)
        most = 0
        while len(consumers[1].lines()) < COUNT - RING - len(consumers[0].lines()):
            most = max(most, self.b.link("jobs")["under_way"])
            self.assertTrue(consumers[1].running() and self.bridges["b"].running())
        self.assertLessEqual(most, RING, "more than b's ring has room for")
        self.assertGreater(most, RING // 2)
        self.finish(consumers, 0)

    def test_full_stream(self):
        """Nobody receives: the stream fills, then the ring, then the sender gets what its policy says. Then all of it comes."""
        self.assertEqual(self.bridges["a"].kill(signal.SIGTERM), 0, self.bridges["a"].errors())
        self.bridges["a"] = self.a.bridge("--out", "full,limit=100")
        self.a.app("make", "channel", "full", 64, RING, 1).says("made") # 1: fails when full
        self.a.ready("full")
        sender = self.a.app("try", "full")
        self.assertEqual(sender.end(), 0, sender.errors())
        sent = int(sender.text().split()[2].rstrip(":"))
        self.assertIn(": -11", sender.text()) # -EAGAIN
        self.assertGreater(sent, 0)
        wait_for("full", lambda: self.a.link("full")["state"] == "full")
        self.assertGreater(self.a.link("full")["refused"], 0)
        self.bridges["b"].kill(signal.SIGTERM)
        self.b.bridge("--in", "full")
        consumer = self.b.app("consume", "full")
        self.finish([consumer], 0, sent, "full")
        self.assertEqual(self.b.link("full")["redelivered"], 0) # what the server refused, had not come


class Elsewhere(Three):
    """What a machine had goes to another."""

    def test_server_killed(self):
        consumers = self.start()
        forgotten = 0 # the server may not know any more what was acknowledged, and c has no window of what b had
        for i in (1, 2):
            self.at(consumers, i * 0.3)
            self.server.kill()
            forgotten += self.count_seen(consumers) + RING
            self.start_server()
        self.finish(consumers, forgotten)
        closer = self.a.app("produce", "jobs", 0, 0, "shut") # not held up by what the server has kept by mistake
        for p in [closer] + consumers:
            self.assertEqual(p.end(), 0, p.errors())

    def test_whole_host_killed(self):
        consumers = self.start()
        self.at(consumers, 0.3)
        self.c.kill()
        self.finish(consumers, RING) # what was in its ring: some of that may have been received there
        wait_for("marked", lambda: self.b.link("jobs")["redelivered"])

    def test_whole_host_of_the_senders_killed(self):
        """What was in its ring goes with it; what it had sent, comes: all up to some number, and nothing twice."""
        consumers = self.start(send_pause_us=200)
        self.at(consumers, 0.3)
        self.a.kill()
        wait_for("the last acknowledgement", lambda: self.unsettled("jobs") == 0)
        self.check_history(consumers, self.count_seen(consumers), 2 * RING) # no gap

    def test_link_cut(self):
        """Ten seconds without a cable, of a receiver's machine, then of the sender's."""
        consumers = self.start(2000)
        self.at(consumers, 0.1)
        self.c.cable(False)
        cut = time.monotonic()
        wait_for("b goes on", lambda: self.count_seen(consumers[:1]) > 0.3 * COUNT)
        wait_for("c says so", lambda: (self.c.status() or {}).get("unreachable_since_ns"))
        wait_for("ten seconds", lambda: time.monotonic() - cut > (3 if SHORT else 10)) # the fault itself takes so long
        self.c.cable(True)
        wait_for("c is back", lambda: not (self.c.status() or {}).get("unreachable_since_ns"))
        self.assertEqual(self.c.status()["reconnects"], 1)
        self.finish(consumers, 2 * RING)

    def test_sender_cut(self):
        """And there the sender waits, and loses nothing."""
        consumers = self.start(send_pause_us=500)
        self.at(consumers, 0.2)
        self.a.cable(False)
        since_ns = wait_for("a says so", lambda: (self.a.status() or {}).get("unreachable_since_ns"))
        seen = self.count_seen(consumers)
        wait_for("ten seconds since a has said so", lambda: time.time_ns() - since_ns > (3 if SHORT else 10) * 10 ** 9)
        self.assertTrue(self.a.status()["unreachable_since_ns"] == since_ns, "the cable was not cut all the time")
        self.assertLess(self.count_seen(consumers) - seen, 2 * RING + 1, "more than was on its way")
        self.assertNotIn("sent", self.producer.text())
        self.a.cable(True)
        self.finish(consumers, 2 * RING)

    def test_bridge_and_keeper_of_the_receivers_killed(self):
        """Nobody holds the channel: b's consumer finds that its sender has gone; what lay there and what was on its way goes to
        c. The dead bridge can still be read. Another one, started by hand, goes on."""
        consumers = self.start()
        self.at(consumers, 0.2)
        self.bridges["b"].kill_both()
        dead = wait_for("dead", lambda: [s for s in [self.b.status()] if s and not s["alive"]])[0]
        self.assertEqual(dead["links"][0]["state"], "dead")
        self.assertGreater(dead["links"][0]["messages"], 0)
        self.assertGreater(dead["updated_ns"], dead["started_ns"])
        self.assertIn("dead (last word", self.b.shmctl("bridge", "shop"))
        self.assertEqual(consumers[0].end(), 0, consumers[0].errors())
        self.at(consumers, 0.5)
        self.bridges["b"] = self.b.bridge("--in", self.way_in)
        consumers.append(self.b.app("consume", "jobs", 200))
        self.finish(consumers, 2 * RING)

    def test_bridge_and_keeper_of_the_senders_killed(self):
        """The sender gets -EPIPE and knows how far it came; what is in its ring goes out with the next bridge, under the same
        ids."""
        consumers = self.start(send_pause_us=500)
        self.at(consumers, 0.2)
        self.a.cable(False)
        since_ns = wait_for("a says so", lambda: (self.a.status() or {}).get("unreachable_since_ns"))
        self.bridges["a"].kill_both()
        self.assertEqual(self.producer.end(), 1)
        sent = int(self.producer.lines()[-1].split()[1])
        dead = self.a.status()
        self.assertEqual((dead["alive"], dead["unreachable_since_ns"]), (False, since_ns))
        self.assertIn("unreachable since", self.a.shmctl("bridge", "shop"))
        self.a.cable(True)
        self.bridges["a"] = self.a.bridge("--out", "jobs")
        self.a.ready("jobs")
        self.producer = self.a.app("produce", "jobs", sent, COUNT - sent)
        self.finish(consumers, 2 * RING)


class CallFaults(Case):
    hosts = ("a", "b", "c")

    def setUp(self):
        super().setUp()
        self.bridges = {"a": self.a.bridge("--call", "pool"), "b": self.b.bridge("--serve", "pool"),
                        "c": self.c.bridge("--serve", "pool")}
        self.workers = {"b": self.b.app("work", "pool"), "c": self.c.app("work", "pool")}
        self.a.app("make", "pool", "pool").says("made")
        for h in (self.b, self.c):
            wait_for("a subscription", lambda: (h.link("pool") or {}).get("state") == "running")

    def answers(self, call, count):
        self.assertEqual(call.end(), 0, call.errors())
        self.assertEqual(call.lines(), ["%d %d" % (n, 2 * n + 1) for n in range(count)])

    def test_everything_killed_in_turn(self):
        """Bridges on both sides, a worker, the server: each call is answered, once, and right."""
        call = self.a.app("call", "pool", 0, 4000)
        for i, what in enumerate(("b", "server", "a", "worker", "c")):
            wait_for("some answers", lambda: len(call.lines()) > 200 * (i + 1))
            if what == "server":
                self.server.kill()
                self.start_server()
            elif what == "worker":
                self.workers["c"].kill()
                self.workers["c"] = self.c.app("work", "pool")
            else:
                self.bridges[what].kill_child()
        self.answers(call, 4000)

    def test_bridge_and_keeper_killed(self):
        """Of a serving side: the other serves. Of the caller's: an error, and calls go on with the next bridge."""
        call = self.a.app("call", "pool", 0, 2000)
        wait_for("some answers", lambda: len(call.lines()) > 300)
        self.bridges["b"].kill_both()
        self.answers(call, 2000)
        self.bridges["a"].kill_both()
        refused = self.a.app("call", "pool", 0, 1, 1000)
        self.assertEqual(refused.end(), 0)
        self.assertIn(refused.lines()[0], ("0 -32", "0 -112", "0 -110")) # nobody has ever served, or will in time
        self.bridges["a"] = self.a.bridge("--call", "pool")
        self.a.ready("pool")
        self.answers(self.a.app("call", "pool", 0, 100), 100)

    def test_stream_goes_on_after_a_death(self):
        """A long answer whose machine dies in the middle comes again from another; the caller is told to begin anew."""
        big = self.a.app("big", "pool", 4000, 500)
        big.says("begun")
        open_at = wait_for("whose it is", lambda: [h for h in (self.b, self.c) if h.link("pool")["under_way"]])
        open_at[0].kill()
        self.assertEqual(big.end(), 0, big.errors())
        self.assertEqual(big.lines()[-1], "parts 4000 restarts 1")


main()
