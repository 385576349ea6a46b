# SPDX-License-Identifier: MIT
"""https: certificates that are not to be trusted, and servers that stop, cut or lie at every stage of TLS. Each ends with its
kind, within its deadline."""
import ssl
import sys

from certificates import OPENSSL, Authority
from servers import Machine, Proxy, Sockets, Web, reset
from fetch_common import FetchCase, main

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def context_of(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, pair))
    return context


class Tls(FetchCase):
    @classmethod
    def setUpClass(cls):
        import pathlib, tempfile
        cls.folder_of_keys = tempfile.TemporaryDirectory(prefix="strait-fetch-keys.")
        root = pathlib.Path(cls.folder_of_keys.name)
        cls.authority, cls.stranger = Authority(root, "ca"), Authority(root, "stranger")
        names = "DNS:localhost,DNS:*.strait.test,IP:127.0.0.1,IP:::1"
        cls.good = context_of(cls.authority.sign("good", names))
        cls.expired = context_of(cls.authority.sign("expired", names, days=-1))
        cls.other = context_of(cls.authority.sign("other", "DNS:other.test,IP:127.0.0.9"))
        cls.strange = context_of(cls.stranger.sign("strange", names))
        cls.ca = str(cls.authority.pem)

    @classmethod
    def tearDownClass(cls):
        cls.folder_of_keys.cleanup()

    # ---- servers: each gets (sockets, connection) ----

    def talk(self, act, context=None):
        """A server that shakes hands, reads the request, and then acts."""
        def serve(sockets, connection):
            machine = Machine(connection, context or self.good)
            machine.shake()
            machine.read()
            act(sockets, machine)
        return serve

    def stall_in_handshake(self, sockets, connection):
        machine = Machine(connection, self.good)
        machine.into.write(connection.recv(65536))
        try:
            machine.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        connection.sendall(machine.out.read()[:100])
        sockets.stall()

    def one(self, serve, host="localhost", options=(), timeout="2"):
        """One URL of such a server: (kind, text, result)."""
        with Sockets(serve) as s:
            url = "https://%s:%d/x" % (host, s.port)
            result = self.fetch([url], "--cacert", self.ca, "--timeout", timeout, "--retry", "0", "-w", "1", *options,
                                output="out%d" % s.port)
        failure = result.failures.get(url)
        return failure["kind"] if failure else "ok", failure["text"] if failure else "", result

    def test_certificates(self):
        def hello(sockets, machine):
            machine.write(HEAD % 5 + b"hello")
        for name, context, words in (("expired", self.expired, "expired"), ("other", self.other, "mismatch"),
                                     ("strange", self.strange, "issuer"), ("good", self.good, "")):
            for host in ("localhost", "127.0.0.1"):
                kind, text, unused = self.one(self.talk(hello, context), host, timeout="20")
                self.assertEqual(kind, "tls" if words else "ok", (name, host, text))
                self.assertIn(words, text)

    def test_nobody_is_trusted_without_cacert(self):
        with Web({"/x": lambda h: h.answer(200, b"hello")}, self.good) as web:
            result = self.fetch([web.url("/x")], "--retry", "0")
            self.assertEqual(result.failures[web.url("/x")]["kind"], "tls")
            result = self.fetch([web.url("/x")], environment={"SSL_CERT_FILE": self.ca})
            self.assertEqual(result.status, 0, result.failures)

    def test_stalls(self):
        def silent(sockets, machine):
            sockets.stall()

        def half_head(sockets, machine):
            machine.write(b"HTTP/1.1 200 OK\r\nContent-")
            sockets.stall()

        def half_body(sockets, machine):
            machine.write(HEAD % 1000 + b"only this")
            sockets.stall()

        def half_record(sockets, machine):
            machine.tls.write(HEAD % 1000 + b"a" * 1000)
            machine.socket.sendall(machine.out.read()[:300])
            sockets.stall()
        for name, serve in (("at once", lambda s, c: s.stall()),
                            ("after the client's hello", lambda s, c: (c.recv(65536), s.stall())),
                            ("in the server's hello", self.stall_in_handshake), ("after the handshake", self.talk(silent)),
                            ("in the head", self.talk(half_head)), ("in the body", self.talk(half_body)),
                            ("in a record", self.talk(half_record))):
            kind, text, result = self.one(serve)
            self.assertEqual(kind, "timeout", (name, text))
            self.assertLess(result.seconds, 12, name)

    def test_silence(self):
        """--idle ends a silence long before the deadline."""
        kind, text, result = self.one(self.stall_in_handshake, options=("--idle", "0.5"), timeout="50")
        self.assertEqual((kind, "nothing came" in text), ("timeout", True), text)
        self.assertLess(result.seconds, 20)

    def test_cuts(self):
        def cut(data, proper=False, reset_it=False):
            def act(sockets, machine):
                machine.write(data)
                if proper:
                    machine.end()
                if reset_it:
                    reset(machine.socket)
            return self.talk(act)
        no_length = b"HTTP/1.1 200 OK\r\n\r\nonly this"
        cases = {
            "no length, cut": (cut(no_length), "tls"),
            "no length, ended": (cut(no_length, proper=True), "ok"),
            "length, all there, cut": (cut(HEAD % 4 + b"body"), "ok"),
            "length, cut": (cut(HEAD % 1000 + b"only this"), "protocol"),
            "length, ended early": (cut(HEAD % 1000 + b"only this", proper=True), "protocol"),
            "chunks, cut": (cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "protocol"),
            "length, reset": (cut(HEAD % 1000 + b"only this", reset_it=True), "protocol"),
            "nothing, ended": (cut(b"", proper=True), "protocol"),
            "in the handshake, closed": (lambda s, c: c.recv(65536), "tls"),
            "in the handshake, reset": (lambda s, c: (c.recv(65536), reset(c)), "tls"),
            "plain http": (lambda s, c: (c.recv(65536), c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), s.stall()), "tls"),
            "garbage": (lambda s, c: (c.recv(65536), c.sendall(bytes(range(256)) * 8), s.stall()), "tls"),
        }
        for name, (serve, expected) in cases.items():
            kind, text, result = self.one(serve, timeout="20")
            self.assertEqual(kind, expected, (name, text))
            self.assertLess(result.seconds, 15, name)
            self.assertEqual(len(result.names()), 1 if expected == "ok" else 0, name)

    def test_garbage_after_the_handshake(self):
        def act(sockets, machine):
            machine.write(HEAD % 1000 + b"only this")
            machine.socket.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32) # a record that nobody has sealed
            sockets.stall()
        kind, text, unused = self.one(self.talk(act), timeout="20")
        self.assertEqual(kind, "tls", text)

    def test_tiny_records(self):
        """A thousand records in one packet, each of one byte."""
        def act(sockets, machine):
            for byte in HEAD % 1000 + b"x" * 1000:
                machine.tls.write(bytes([byte]))
            machine.flush()
        kind, text, result = self.one(self.talk(act), timeout="20")
        self.assertEqual((kind, result.read(1)), ("ok", b"x" * 1000), text)

    def test_tunnel(self):
        """Through a proxy by CONNECT: a name that only the proxy can find, checked against the certificate all the same."""
        with Web({"/x": lambda h: h.answer(200, b"hello")}, self.good) as web:
            hosts = {"a.strait.test:443": web.port, "wrong.test:443": web.port}
            with Proxy(hosts) as proxy, Proxy({}, "502 Bad Gateway") as broken:
                urls = ["https://%s/x" % h for h in ("a.strait.test", "wrong.test", "forbidden.test")]
                result = self.fetch(urls, "--cacert", self.ca, "--retry", "0",
                                    environment={"https_proxy": "http://u:p@127.0.0.1:%d" % proxy.port})
                self.assertEqual({u: f["kind"] for u, f in result.failures.items()}, {urls[1]: "tls", urls[2]: "proxy"})
                self.assertEqual(result.read(1), b"hello")
                self.assertEqual(sorted(proxy.asked), [("CONNECT", h + ":443", "Basic dTpw") for h in
                                                       ("a.strait.test", "forbidden.test", "wrong.test")])
                for unused, unused2, fields in web.requests: # the proxy's secret is not the origin's to know
                    self.assertNotIn("proxy-authorization", fields)
                result = self.fetch(urls[:1], "--retry", "1", output="o2",
                                    environment={"HTTPS_PROXY": "127.0.0.1:%d" % broken.port})
                self.assertEqual((result.failures[urls[0]]["kind"], len(broken.asked)), ("proxy", 2))

    def test_downgrade_is_refused(self):
        with Web({"/plain": lambda h: h.answer(200, b"plain")}) as plain:
            routes = {"/down": lambda h: h.answer(302, fields=[("Location", plain.url("/plain"))]),
                      "/file": lambda h: h.answer(302, fields=[("Location", "file:///etc/passwd")]),
                      "/up": lambda h: h.answer(200, b"up")}
            with Web(routes, self.good) as web:
                result = self.fetch([web.url("/down"), web.url("/file")], "--cacert", self.ca)
                self.assertEqual({f["kind"] for f in result.failures.values()}, {"refused"})
                self.assertEqual(len(result.failures), 2)
                self.assertEqual(plain.seen("/plain"), [])


if OPENSSL is None:
    print("SKIPPED there is no openssl command to make certificates with")
    sys.exit(77)
main()
