# SPDX-License-Identifier: MIT
"""What people expect of a fetcher: redirects, ranges and resume, conditions, retries, limits, proxies, checksums, pipes."""
import hashlib
import json
import os
import socket
import subprocess
import threading
import time

from servers import Proxy, Sockets, Web
from fetch_common import FETCH, FetchCase, body, main

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
LATER = "Thu, 22 Oct 2015 07:28:00 GMT"


def redirect(to, status=302):
    return lambda h: h.answer(status, b"elsewhere", [("Location", to)])


def ranged(data, date=DATE):
    """A route that knows ranges, If-Range and If-Modified-Since."""
    def route(h):
        fields = [("Last-Modified", date), ("Accept-Ranges", "bytes")]
        if h.headers.get("If-Modified-Since") == date:
            h.send_response(304)
            h.end_headers()
            return
        wanted = h.headers.get("Range")
        if not wanted or h.headers.get("If-Range", date) != date:
            h.answer(200, data, fields)
            return
        first, last = wanted[len("bytes="):].split("-")
        first, last = int(first), int(last) if last else len(data) - 1
        if first >= len(data):
            h.answer(416, b"", fields + [("Content-Range", "bytes */%d" % len(data))])
            return
        part = data[first:last + 1]
        h.answer(206, part, fields + [("Content-Range", "bytes %d-%d/%d" % (first, first + len(part) - 1, len(data)))])
    return route


class WebCase(FetchCase):
    def run_tool(self, *options, stdin=None, environment=None):
        return subprocess.run([FETCH, *options], input=stdin, capture_output=True, timeout=60, cwd=self.root,
                              env={**os.environ, **(environment or {})})

    def kinds(self, urls, *options, **more):
        result = self.fetch(urls, *options, **more)
        return [result.failures[u]["kind"] if u in result.failures else "ok" for u in urls]


class Redirects(WebCase):
    def test_ways(self):
        routes = {"/a/one": redirect("two"), "/a/two": redirect("../b/three?x=1", 301), "/b/three": redirect("/four", 307),
                  "/four": redirect("#fragment", 308), "/loop": redirect("/loop"), "/none": lambda h: h.answer(302, b"x"),
                  "/bad": redirect("http://u:p@h/"), "/gopher": redirect("gopher://h/"), "/file": redirect("file:///etc/passwd"),
                  "/end": lambda h: h.answer(200, b"the end")}
        for i in range(12):
            routes["/chain%d" % i] = redirect("/chain%d" % (i + 1) if i < 11 else "/end", 303)
        with Web(routes) as web:
            routes["/four"] = redirect(web.url("/end"))
            cases = {"/a/one": "ok", "/loop": "redirect", "/none": "status", "/bad": "redirect", "/gopher": "refused",
                     "/file": "refused", "/chain0": "redirect", "/chain2": "ok", "/chain1": "redirect"}
            result = self.fetch([web.url(p) for p in cases])
            for number, (path, kind) in enumerate(cases.items(), 1):
                failure = result.failures.get(web.url(path))
                self.assertEqual(failure["kind"] if failure else "ok", kind, (path, failure))
                if kind == "ok":
                    self.assertEqual(result.read(number), b"the end", path)
            self.assertEqual(len(web.seen("/loop")), 11)
            self.assertEqual(self.kinds([web.url("/a/one")], "--max-redirects", "0", output="o2"), ["status"])
            self.assertEqual(self.kinds([web.url("/chain0")], "--max-redirects", "12", output="o3"), ["ok"])

    def test_secrets_stay_with_their_origin(self):
        with Web({"/end": lambda h: h.answer(200, b"x")}) as other:
            routes = {"/away": redirect(other.url("/end")), "/here": redirect("/end"), "/end": lambda h: h.answer(200, b"x"),
                      "/back": redirect(other.url("/end"))}
            with Web(routes) as web:
                urls = [web.url("/away"), web.url("/here"), web.url("/away", host="localhost")]
                result = self.fetch(urls, "-u", "me:secret", "-H", "Cookie: a=b", "-H", "X-Other: c")
                self.assertEqual(result.status, 0, result.failures)
                for unused, unused2, fields in web.seen("/away") + web.seen("/end"):
                    self.assertEqual((fields["authorization"], fields["cookie"]), ("Basic bWU6c2VjcmV0", "a=b"))
                    self.assertEqual(fields["accept-encoding"], "identity")
                for unused, unused2, fields in other.seen("/end"):
                    self.assertNotIn("authorization", fields)
                    self.assertNotIn("cookie", fields)
                    self.assertEqual(fields["x-other"], "c")
                self.assertEqual(len(other.seen("/end")), 2)


class Ranges(WebCase):
    def setUp(self):
        super().setUp()
        self.data = body(5, 300000)

    def test_range(self):
        lies = {"/lie": lambda h: h.answer(206, b"xx", [("Content-Range", "bytes 7-8/100")]),
                "/mute": lambda h: h.answer(206, b"xx"),
                "/whole": lambda h: h.answer(200, self.data),
                "/unasked": lambda h: h.answer(206, b"xx", [("Content-Range", "bytes 0-1/100")])}
        with Web({"/x": ranged(self.data), **lies}) as web:
            self.assertEqual(self.run_tool("-q", "-r", "10-19", "-O", "part", web.url("/x")).returncode, 0)
            self.assertEqual((self.root / "part").read_bytes(), self.data[10:20])
            shown = self.run_tool("-q", "-r", "10-19", "-O", "-", web.url("/x"))
            self.assertEqual(shown.stdout, self.data[10:20])
            shown = self.run_tool("-q", "-r", "299990-", "-O", "-", web.url("/x"))
            self.assertEqual(shown.stdout, self.data[299990:])
            self.assertEqual(self.kinds([web.url(p) for p in ("/lie", "/mute", "/whole")], "-r", "10-11"),
                             ["protocol", "protocol", "local"])
            self.assertEqual(self.kinds([web.url("/unasked")], output="o2"), ["protocol"])

    def test_continue(self):
        with Web({"/x": ranged(self.data)}) as web:
            def go(*options):
                run = self.run_tool("-q", "-C", "-O", "x", web.url("/x"), "--retry", "0", *options)
                return run.returncode, run.stderr.decode()
            part, whole = self.root / "x.part", self.root / "x"
            then = 1445412480 # DATE
            for there, date, asked in ((self.data[:100000], then, "bytes=100000-"), (self.data, then, "bytes=300000-"),
                                       (b"old" * 40000, then - 5, "bytes=120000-"), (b"unknown", 0, None),
                                       (self.data + b"longer", then, "bytes=300006-")):
                part.write_bytes(there)
                os.utime(part, (date, date))
                self.assertEqual(go(), (0, ""))
                self.assertEqual(whole.read_bytes(), self.data)
                self.assertFalse(part.exists())
                self.assertEqual(web.requests[-1 if len(there) != 300006 else -2][2].get("range"), asked)
                self.assertEqual(whole.stat().st_mtime, then)
                whole.unlink()

    def test_continue_after_a_break(self):
        """The first answer is cut short; the second run fetches only what is missing."""
        tries = []

        def cut(h):
            tries.append(h.headers.get("Range"))
            if len(tries) == 1:
                h.answer(200, self.data[:200000], [("Last-Modified", DATE)], length=len(self.data))
                h.close_connection = True
            else:
                ranged(self.data)(h)
        with Web({"/x": cut}) as web:
            checksum = "sha256:" + hashlib.sha256(self.data).hexdigest()
            first = self.run_tool("-q", "-C", "-O", "x", web.url("/x"), "--retry", "0", "--checksum", checksum)
            self.assertEqual((first.returncode, (self.root / "x.part").stat().st_size), (1, 200000), first.stderr)
            self.assertEqual(self.run_tool("-q", "-C", "-O", "x", web.url("/x"), "--checksum", checksum).returncode, 0)
            self.assertEqual((self.root / "x").read_bytes(), self.data)
            self.assertEqual(tries, [None, "bytes=200000-"])

    def test_newer(self):
        with Web({"/x": ranged(self.data)}) as web:
            for unused in range(2):
                self.assertEqual(self.run_tool("-q", "-N", "-O", "x", web.url("/x")).returncode, 0)
                self.assertEqual((self.root / "x").read_bytes(), self.data)
            self.assertEqual([r[2].get("if-modified-since") for r in web.requests], [None, DATE])
        with Web({"/x": ranged(b"new", LATER)}) as web:
            self.assertEqual(self.run_tool("-q", "-N", "-O", "x", web.url("/x")).returncode, 0)
        self.assertEqual((self.root / "x").read_bytes(), b"new")

    def test_files(self):
        (self.root / "source").write_bytes(self.data)
        self.assertEqual(self.run_tool("-q", "-O", "-", "-r", "5-9", "file://%s/source" % self.root).stdout, self.data[5:10])
        self.assertEqual(self.run_tool("-q", "-O", "copy", "file://%s/source" % self.root).returncode, 0)
        self.assertEqual((self.root / "copy").read_bytes(), self.data)


class Retries(WebCase):
    def test_what_passes(self):
        counts = {}

        def times(n, status, fields=()):
            def route(h):
                counts[h.path] = counts.get(h.path, 0) + 1
                if counts[h.path] <= n:
                    h.answer(status, b"later", fields)
                else:
                    h.answer(200, b"now")
            return route

        def drop(h):
            counts[h.path] = counts.get(h.path, 0) + 1
            if counts[h.path] <= 2:
                h.answer(200, b"half", length=8)
                h.close_connection = True
            else:
                h.answer(200, b"complete")
        routes = {"/503": times(2, 503), "/429": times(1, 429, [("Retry-After", "1")]), "/always": times(99, 502),
                  "/404": times(1, 404), "/drop": drop, "/late": times(1, 503, [("Retry-After", "500")])}
        with Web(routes) as web:
            urls = [web.url(p) for p in routes]
            result = self.fetch(urls, "--retry", "2", "--timeout", "20")
            self.assertEqual({u.rsplit("/", 1)[1]: f["kind"] for u, f in result.failures.items()},
                             {"always": "status", "404": "status", "late": "status"})
            self.assertEqual(counts, {"/503": 3, "/429": 2, "/always": 3, "/404": 1, "/drop": 3, "/late": 1})
            self.assertEqual([result.read(n) for n in (1, 2, 5)], [b"now", b"now", b"complete"])
            self.assertGreater(result.seconds, 1)
            self.assertLess(result.seconds, 15)

    def test_refused_first(self):
        """A server that is not there yet."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:%d/" % s.getsockname()[1]
            process = self.start([url], "--retry", "20", "--timeout", "30")
            time.sleep(0.3) # not to be in time: the tool finds it refused at least once, or the test shows less

            def answer(connection):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            s.listen(8)
            connection = s.accept()[0]
            answer(connection)
            result = self.finish(process, time.monotonic())
            connection.close()
        self.assertEqual((result.status, result.read(1)), (0, b"hi"))

    def test_redelivered_parts_are_void(self):
        """To stdout nothing can be taken back: a body that breaks in the middle fails instead of being doubled."""
        def serve(sockets, c):
            c.recv(4096)
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50000)
        with Sockets(serve) as s:
            run = self.run_tool("-q", "-O", "-", "--retry", "1", "http://127.0.0.1:%d/" % s.port)
        self.assertEqual(run.returncode, 1)
        self.assertLessEqual(len(run.stdout), 50000)


class Limits(WebCase):
    def test_per_host(self):
        lock, now, most = threading.Lock(), [0, 0], [0, 0]

        def counted(which):
            def route(h):
                with lock:
                    now[which] += 1
                    most[which] = max(most[which], now[which])
                time.sleep(0.02) # so that those that may overlap do
                with lock:
                    now[which] -= 1
                h.answer(200, b"x")
            return route
        with Web({"/x": counted(0)}) as one, Web({"/x": counted(1)}) as two:
            urls = [w.url("/x") for w in (one, two) for unused in range(40)]
            result = self.fetch(urls, "--per-host", "3", "-w", "2")
        self.assertEqual((result.status, result.report["ok"]), (0, 80))
        self.assertLessEqual(max(most), 3)
        self.assertGreater(min(most), 1)

    def test_idle(self):
        """Slow is not silent: a body that drips longer than --idle goes on, one that stops does not."""
        def drip(sockets, c):
            c.recv(4096)
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            for byte in b"dripping":
                time.sleep(0.2)
                c.sendall(bytes([byte]))
            sockets.stall()

        def stop(sockets, c):
            c.recv(4096)
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ndrip")
            sockets.stall()
        with Sockets(drip) as good, Sockets(stop) as bad:
            urls = ["http://127.0.0.1:%d/" % s.port for s in (good, bad)]
            result = self.fetch(urls, "--idle", "1", "--timeout", "60", "--retry", "0")
        self.assertEqual(list(result.failures), [urls[1]])
        self.assertEqual((result.failures[urls[1]]["kind"], result.read(1)), ("timeout", b"dripping"))
        self.assertLess(result.seconds, 20)

    def test_heads(self):
        with Web({"/x": lambda h: h.answer(200, b"hello", [("X-One", "1"), ("X-One", "2")])}) as web:
            shown = json.loads(self.run_tool("--json", "-I", web.url("/x")).stdout)
            self.assertEqual([r[0] for r in web.requests], ["HEAD"])
            self.assertEqual((shown["bytes"], shown["heads"][0]["status"]), (0, 200))
            self.assertEqual([v for n, v in shown["heads"][0]["fields"] if n == "x-one"], ["1", "2"])
            text = self.run_tool("--headers", web.url("/x")).stdout.decode()
            self.assertIn("\nx-one: 1\nx-one: 2\n", text)
        with Web({"/x": lambda h: h.answer(200, b"hello", [("X-%d" % i, "y" * 1000) for i in range(30)])}) as web:
            self.assertEqual(self.kinds([web.url("/x")], "--headers"), ["too-large"])
            self.assertEqual(self.kinds([web.url("/x")], output="o2"), ["ok"])

    def test_fields_are_checked(self):
        for wrong in ("Host: evil", "Content-Length: 5", "No colon", "A: b\nC: d", "Range: bytes=0-"):
            run = self.run_tool("-H", wrong, "http://127.0.0.1:1/")
            self.assertIn(run.returncode, (1, 2), wrong)
            self.assertTrue(b"url: " in run.stderr or run.returncode == 2, run.stderr)

    def test_happy_eyeballs(self):
        """localhost has two addresses, and the server listens on the second only."""
        with Web({"/x": lambda h: h.answer(200, b"x")}) as web:
            result = self.fetch([web.url("/x", host="localhost")])
        self.assertEqual(result.status, 0, result.failures)


class Sums(WebCase):
    def test_checksums(self):
        data = body(7, 100000)
        good, bad = "sha256:" + hashlib.sha256(data).hexdigest(), "sha256:" + "0" * 64
        with Web({"/x": lambda h: h.answer(200, data)}) as web:
            listing = "".join("%s %s\n" % (web.url("/x"), s) for s in
                              (good, bad, "sha1:" + hashlib.sha1(data).hexdigest(), "md5:" + hashlib.md5(data).hexdigest(),
                               "sha512:" + hashlib.sha512(data).hexdigest().upper(), "sha256:12", "crc:12"))
            run = self.run_tool("--json", "-i", "-", "-o", "out", stdin=listing.encode())
            self.assertEqual(json.loads(run.stdout)["errors"], {"checksum": 1, "url": 2})
            self.assertEqual(len(os.listdir(self.root / "out")), 4)
            run = self.run_tool("-q", "-O", "x", web.url("/x"), "--checksum", bad)
            self.assertEqual((run.returncode, (self.root / "x").exists()), (1, False))
            self.assertIn(good.encode(), run.stderr) # what it is instead


class Workers(WebCase):
    @staticmethod
    def allowed_of_workers():
        """Cpus_allowed_list of the workers of our strait-fetch, by process id."""
        status = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/status" % pid, encoding="utf-8") as file:
                    status[int(pid)] = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            except OSError:
                continue  # it has gone
        ours = {pid for pid, s in status.items() if int(s["PPid"]) == os.getpid() and s["Name"] == "strait-fetch"}
        return {pid: s["Cpus_allowed_list"] for pid, s in status.items() if int(s["PPid"]) in ours}

    def test_cpu_list(self):
        cpu, seen = max(os.sched_getaffinity(0)), []

        def look(h):
            seen.append(self.allowed_of_workers())
            h.answer(200, b"looked")

        with Web({"/look": look}) as web:
            self.assertEqual(self.kinds([web.url("/look")], "-w", "2", "--cpu-list", "%d" % cpu), ["ok"])
        self.assertEqual(set(seen[0].values()), {str(cpu)})
        self.assertEqual(len(seen[0]), 2)
        for wrong, says in (("x", b"is no list of CPUs"), ("1000", b"none of the CPUs 1000")):
            said = self.run_tool("-w", "1", "--cpu-list", wrong, "file:///etc/hostname", "-o", "never")
            self.assertEqual(said.returncode, 3)
            self.assertIn(says, said.stderr)


class Pipes(WebCase):
    def test_urls_are_fetched_as_they_come(self):
        with Web({"/x": lambda h: h.answer(200, b"x")}) as web:
            process = subprocess.Popen([FETCH, "--json", "-i", "-", "-o", str(self.root / "out")], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
            for n in (1, 2, 3):
                process.stdin.write(web.url("/x") + "\n")
                process.stdin.flush()
                until = time.monotonic() + 30
                while not (self.root / "out" / ("%05d-x" % n)).exists():
                    self.assertLess(time.monotonic(), until, "not before the pipe is closed")
                    time.sleep(0.005)
            stdout = process.communicate(web.url("/x"), timeout=30)[0] # no line end
        self.assertEqual((process.returncode, json.loads(stdout)["ok"]), (0, 4))

    def test_stdout(self):
        data = body(3, 500000)
        with Web({"/x": lambda h: h.answer(200, data)}) as web:
            run = self.run_tool("-q", "-O", "-", web.url("/x"))
        self.assertEqual((run.returncode, run.stdout == data), (0, True))
        self.assertIn(b"1 of 1 fetched", run.stderr)

    def test_use(self):
        for wrong in (["-O", "x"], ["-O", "x", "-o", "y", "u"], ["-O", "/nowhere/x", "u"], ["-C", "u"], ["-r", "5", "u"],
                      ["-O", "x", "a", "b"], ["-u", "me", "u"], ["--cacert", "/nowhere", "u"], ["-H", "x", "u"],
                      ["--checksum", "sha256:12", "a", "b"], ["--retry", "-1", "u"]):
            run = self.run_tool(*wrong)
            self.assertEqual((run.returncode, run.stdout), (2, b""), wrong)
            self.assertTrue(run.stderr)


class Proxies(WebCase):
    def test_http(self):
        with Web({"/x": lambda h: h.answer(200, b"hello")}) as web:
            hosts = {"strait.test": web.port, "other.test:81": web.port}
            with Proxy(hosts) as proxy:
                urls = ["http://strait.test/x", "http://other.test:81/x", "http://nobody.test/x", web.url("/x")]
                environment = {"http_proxy": "http://me:s%%40crt@127.0.0.1:%d" % proxy.port}
                kinds = self.kinds(urls, "--retry", "0", environment=environment)
                self.assertEqual(kinds, ["ok", "ok", "status", "ok"])
                self.assertEqual(sorted(proxy.asked), sorted([
                    ("GET", u, "Basic bWU6c0BjcnQ=") for u in urls[:3]])) # loopback went directly
            for method, path, fields in web.requests:
                self.assertEqual((method, path), ("GET", "/x"))

    def test_no_proxy(self):
        environment = {"http_proxy": "http://127.0.0.1:1", "no_proxy": "strait.invalid"}
        self.assertEqual(self.kinds(["http://a.strait.invalid/", "http://strait.test/"], "--retry", "0", "--timeout", "20",
                                    environment=environment), ["resolve", "connect"])
        self.assertEqual(self.kinds(["http://strait.test/"], environment={"http_proxy": "socks5://x"}, output="o2"), ["proxy"])


main()
