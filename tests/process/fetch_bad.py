# SPDX-License-Identifier: MIT
"""Bad input: each a clear error for that URL, the others unharmed, nothing hangs."""
import os
import socket
import subprocess
import time

from fetch_common import FETCH, FetchCase, Origin, body, main

# What the origin does (tests/support/origin_bad.c), and the kind that it must end with; "ok" for what merely looks odd.
BAD_PATHS = {
    "close-at-once": "protocol", "close-in-head": "protocol", "close-in-body": "protocol", "close-in-chunk": "protocol",
    "reset-at-once": "protocol", "reset-in-head": "protocol", "reset-in-body": "protocol", "reset-in-chunk": "protocol",
    "stall-at-once": "timeout", "stall-in-head": "timeout", "stall-in-body": "timeout", "stall-in-chunk": "timeout",
    "stall-no-length": "timeout",
    "garbage": "protocol", "ssh": "protocol", "status": "protocol", "upgrade": "protocol",
    "length-twice": "protocol", "length-negative": "protocol", "length-huge": "protocol",
    "length-and-chunked": "protocol", "chunked-and-length": "protocol",
    "chunk-size-negative": "protocol", "chunk-size": "protocol", "chunk-size-huge": "protocol", "chunk-end": "protocol",
    "endless-head": "protocol", "endless-line": "protocol", "endless-continue": "protocol",
    "endless-trailer": "protocol",
    "endless-body": "too-large", "endless-chunks": "too-large",
    "redirect": "status",
    "body-too-long": "ok", "keep-then-close": "ok", "once": "ok",
}


class Bad(FetchCase):
    def test_misbehaving_origin(self):
        with Origin() as origin:
            good = [origin.url("/blob/%d/%d" % (i, i * 997)) for i in range(1, 41)]
            bad = [origin.url("/bad/" + name) for name in BAD_PATHS]
            urls = [u for pair in zip(good, bad * 2) for u in pair] + bad + good
            result = self.fetch(urls, "--timeout", "5", "--max-bytes", "100000", "-w", "2")
            self.assertEqual(result.status, 1)
            self.assertLess(result.seconds, 25)
            for name, kind in BAD_PATHS.items():
                failure = result.failures.get(origin.url("/bad/" + name))
                self.assertEqual(failure["kind"] if failure else "ok", kind, name)
                self.assertTrue(failure is None or failure["text"], name)
            for number, url in enumerate(urls, 1):
                if url in good:
                    seed, size = (int(x) for x in url.split("/")[-2:])
                    self.assertEqual(result.read(number), body(seed, size), url)
                elif BAD_PATHS[url.split("/")[-1]] == "ok":
                    self.assertEqual(result.read(number), b"body", url)
            ok = len(urls) - result.report["failed"]
            self.assertEqual(len(result.names()), ok, "a failed body, or a temporary file, was left behind")

    def test_stale_keep_alive(self):
        """The server said keep-alive and closes, at once or when the next request comes: that request must not fail."""
        with Origin() as origin:
            for odd in ("/bad/keep-then-close", "/bad/once"):
                urls = [origin.url(odd), origin.url("/blob/5/100")] * 100
                result = self.fetch(urls, "-w", "1", "-c", "1", output=odd[5:])
                self.assertEqual((result.status, result.report["ok"]), (0, 200), odd)

    def test_urls(self):
        kinds = {
            "gopher://example.org/": "url", "nonsense": "url", "http://": "url",
            "http://h:99999/": "url", "http://u:p@h/": "url", "http://[::1/": "url", "http://a b/": "url",
            "file://elsewhere/etc/passwd": "url", "file:///a?b": "url", "file:///%00": "url", "file:///%zz": "url",
            "http://" + "x" * 3000 + "/": "url", "http://strait.invalid/": "resolve",
        }
        result = self.fetch(list(kinds) + ["file:///etc/passwd"], "--timeout", "20")
        self.assertEqual(result.status, 1)
        self.assertEqual({u: f["kind"] for u, f in result.failures.items()}, kinds)
        self.assertEqual(result.report["ok"], 1)
        with open("/etc/passwd", "rb") as f:
            self.assertEqual(result.read(len(kinds) + 1), f.read())

    def test_refused(self):
        with socket.socket() as s: # bound, not listening: nobody else gets the port meanwhile
            s.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:%d/" % s.getsockname()[1]
            result = self.fetch([url])
        self.assertEqual(result.failures[url]["kind"], "connect")
        self.assertIn("refused", result.failures[url]["text"])

    def test_not_accepted(self):
        """A server whose queue is full answers nothing at all."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen(0)
            full = [socket.socket() for unused in range(4)]
            for c in full:
                c.setblocking(False)
                c.connect_ex(s.getsockname())
            url = "http://127.0.0.1:%d/" % s.getsockname()[1]
            result = self.fetch([url], "--timeout", "1")
            for c in full:
                c.close()
        self.assertEqual(result.failures[url]["kind"], "timeout")
        self.assertLess(result.seconds, 5)

    def test_files(self):
        fifo, directory, link = self.root / "fifo", self.root / "directory", self.root / "loop"
        os.mkfifo(fifo)
        directory.mkdir()
        link.symlink_to(link)
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(self.root / "socket"))
        bad = [fifo, directory, link, self.root / "socket", self.root / "missing", "/dev/zero", "/dev/tty"]
        result = self.fetch(["file://%s" % p for p in bad])
        unix.close()
        for path in bad:
            self.assertEqual(result.failures["file://%s" % path]["kind"], "file", path)
        for path, word in ((fifo, "FIFO"), (directory, "directory"), ("/dev/zero", "device"), (bad[4], "No such file")):
            self.assertIn(word, result.failures["file://%s" % path]["text"])

    def test_good_files(self):
        sizes = [0, 1, 16343, 16344, 16345, 16368, 1000000]
        urls = []
        for size in sizes:
            (self.root / ("file %d" % size)).write_bytes(body(size, size))
            urls.append("file://%s/file%%20%d" % (self.root, size))
        shared = "/dev/shm/strait-fetch-test.%d" % os.getpid() # another file system, the other way into the slot
        with open(shared, "wb") as f:
            f.write(body(9, 70000))
        try:
            result = self.fetch(urls + ["file://" + shared, "file:///proc/filesystems"])
        finally:
            os.unlink(shared)
        self.assertEqual((result.status, result.stderr), (0, ""))
        for number, size in enumerate(sizes, 1):
            self.assertEqual(result.read(number), body(size, size))
        self.assertEqual(result.read(len(sizes) + 1), body(9, 70000))
        with open("/proc/filesystems", "rb") as f: # its size says 0
            self.assertEqual(result.read(len(sizes) + 2), f.read())

    def test_too_large(self):
        with Origin() as origin:
            big = self.root / "big"
            big.write_bytes(body(1, 100001))
            over = [origin.url("/%s/1/100001" % how) for how in ("blob", "chunked", "close")] + ["file://%s" % big]
            just = [origin.url("/%s/1/100000" % how) for how in ("blob", "chunked", "close")]
            result = self.fetch(over + just, "--max-bytes", "100000")
            self.assertEqual({f["kind"] for f in result.failures.values()}, {"too-large"})
            self.assertEqual(set(result.failures), set(over))
            for number in (5, 6, 7):
                self.assertEqual(result.read(number), body(1, 100000))

    def test_status(self):
        with Origin() as origin:
            result = self.fetch([origin.url("/404"), origin.url("/blob/3/10")])
            self.assertEqual(result.failures[origin.url("/404")]["kind"], "status")
            self.assertIn("404", result.failures[origin.url("/404")]["text"])
            self.assertEqual(result.read(2), body(3, 10))

    def test_use(self):
        def run(*options, stdin=""):
            return subprocess.run([FETCH, *options], input=stdin, capture_output=True, text=True, timeout=30)
        self.assertEqual(run("--help").returncode, 0)
        self.assertIn("--max-bytes", run("--help").stdout)
        self.assertEqual(run().returncode, 2)
        for wrong in (["-w", "-1"], ["-w", "0"], ["-w", "0", "--segment", "a/b"], ["-w", "x"], ["-c", "1e9"],
                      ["--timeout", "-1"], ["--max-bytes", ""], ["--wrong"], ["-i", "/nowhere"]):
            process = run(*wrong, "file:///etc/passwd")
            self.assertEqual((process.returncode, process.stdout), (2, ""), wrong)
            self.assertTrue(process.stderr, wrong)
        text = run("-q", "-i", "-", stdin="# a comment\n\n  file:///etc/passwd  \r\nfile:///nowhere")
        self.assertEqual(text.returncode, 1)
        self.assertIn("1 of 2 fetched, 1 failed", text.stdout)
        self.assertIn("file:///nowhere: file: ", text.stderr)
        # not a terminal: a line a second, so a run of 1.5 s shows one at least
        with Origin() as origin:
            process = run("--timeout", "1.5", origin.url("/bad/stall-at-once"))
            self.assertIn("0/1 done", process.stderr)
        self.assertEqual(run("-q", "-o", "/proc/nowhere", "file:///etc/passwd").returncode, 3)

    def test_time_in_the_queue_counts(self):
        """One slow transfer at a time: those behind it run out of time in the channel, and say so."""
        with Origin() as origin:
            began = time.monotonic()
            urls = [origin.url("/bad/stall-at-once")] * 40
            result = self.fetch(urls, "--timeout", "1", "-w", "1", "-c", "4")
            self.assertEqual(result.report["errors"], {"timeout": 40})
            self.assertLess(time.monotonic() - began, 30)


main()
