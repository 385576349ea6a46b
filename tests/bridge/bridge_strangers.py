# SPDX-License-Identifier: MIT
"""Others publish to the subjects as well: what they write into the header is read right or refused, at once and loudly enough; it
never becomes a number that nobody has written, and what is ours goes on."""
from hosts import Case, main, wait_for

TEXT = "00000000" # a number that app knows as its own: 8 bytes, tag 0
NUMBER = int.from_bytes(TEXT.encode(), "little")


class Strangers(Case):
    def say(self, *arguments):
        p = self.stranger("say", *arguments)
        self.assertEqual(p.end(), 0, p.errors())

    def test_messages(self):
        bridge = self.b.bridge("--in", "jobs")
        consumer = self.b.app("consume", "jobs")
        consumer.says("ready")
        self.b.ready("jobs")
        wrongs = ("M", "M x 0", "M 65536 0", "M -1 0", "M 0 -1", "M 1.5 0", "M 0 4294967296", "M 1 0 5", "m 0 0",
                  "Q 1 0 16 0", "C 1", "Close", "?")
        for header in wrongs:
            self.say("strait.shop.jobs", header, TEXT)
        for header in ("-", "M 0 0", "M 0 4294967295"):
            self.say("strait.shop.jobs", header, TEXT)
        wait_for("three: " + consumer.text(), lambda: len(consumer.lines()) == 4)
        self.assertEqual(consumer.lines(), ["ready"] + ["%d %d" % (NUMBER, attempts) for attempts in (0, 0, 1)])
        # refused, and not to be delivered for ever
        wait_for("an empty stream", lambda: self.stored("jobs") == 0)
        wait_for("status", lambda: self.b.link("jobs")["messages"] == 3)
        self.assertEqual(self.b.link("jobs")["failed"], len(wrongs))
        self.assertEqual(self.b.link("jobs")["state"], "running")
        self.assertEqual(bridge.errors().count("its header Strait is none of ours"), 1, "said once")

    def test_requests(self):
        self.b.bridge("--serve", "pool")
        worker = self.b.app("work", "pool")
        wait_for("a subscription", lambda: (self.b.link("pool") or {}).get("state") == "running")
        wrongs = ("-", "Q", "Q 1 2 3", "Q 65536 0 16 0", "Q 0 0 0 0", "Q 0 0 16 18446744073709551615", "Q 0 0 16 -1", "M", "M 1 1",
                  "M 70000", "X", "P 0 0 0 x")
        for header in wrongs:
            self.assertEqual(self.ask("strait.shop.pool", header, TEXT), "E 71 ", header) # EPROTO
        self.assertEqual(worker.lines(), ["ready"])
        words = self.ask("strait.shop.pool", "Q 0 0 16 5000000", TEXT).split()
        self.assertEqual(words[:4] + words[5:], ["P", "0", "0", "2", (2 * NUMBER + 1).to_bytes(8, "little").decode()])
        wait_for("status", lambda: self.b.link("pool")["failed"] == len(wrongs))
        # a word about an open call that cannot be: more parts passed on than were sent
        call = self.ask("strait.shop.pool", "Q 7 0 1 0", TEXT).split("\0")[0].split()
        self.assertEqual(call[:4], ["P", "0", "7", "0"])
        self.say(call[4], "W 99", "")
        worker.says("unwanted after")
        wait_for("status", lambda: self.b.link("pool")["failed"] == len(wrongs) + 1)

    def test_answers(self):
        self.a.bridge("--call", "pool")
        self.a.app("make", "pool", "pool").says("made")
        self.a.ready("pool")
        wrongs = ("-", "P 0 0 2", "P 0 0 65536 x", "P x 0 2 x", "P 0 0 2 a b", "P 0 0 2 a.*", "A 1", "A 4294967296 x", "D", "E",
                  "E 0", "E -5", "E 4096", "E 5x", "Q 0 0 16 0", "?")
        for header, error in [(w, -71) for w in wrongs] + [("E 5", -5)]:
            server = self.stranger("serve", "strait.shop.pool", header)
            server.says("ready")
            call = self.a.app("call", "pool", 0, 1, 10000)
            self.assertEqual(call.end(), 0, call.errors())
            self.assertEqual(call.lines(), ["0 remote %d" % error], header)
            self.assertEqual(len(server.lines()), 2, "asked once: " + server.text())
            server.kill()
        wait_for("status", lambda: self.a.link("pool")["failed"] == len(wrongs) + 1)


main()
