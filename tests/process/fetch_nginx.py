# SPDX-License-Identifier: MIT
"""Against a real nginx: configuration and port of its own, in a temporary folder."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from fetch_common import FetchCase, body, main

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

CONFIG = """
worker_processes 1; daemon off; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
    log_format connections '$connection'; access_log {root}/access.log connections; default_type application/octet-stream; keepalive_requests {requests};
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    server {{
        listen 127.0.0.1:{port}; listen [::1]:{port}; root {root}/www;
        location /old {{ return 301 /file1; }}
        location /gone {{ return 410; }}
        location /close {{ alias {root}/www/; keepalive_timeout 0; }}
        location /slow {{ alias {root}/www/; limit_rate 200k; }}
    }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nginx(FetchCase):
    folder = "/dev/shm" # thousands of files; ext4 is slow at those where as many have just been deleted
    requests = 1000

    def setUp(self):
        super().setUp()
        (self.root / "www").mkdir()
        self.root.chmod(0o755) # nginx's worker is another user when we are root
        self.port = free_port()
        config = self.root / "nginx.conf"
        config.write_text(CONFIG.format(root=self.root, port=self.port, requests=self.requests))
        self.nginx = subprocess.Popen([NGINX, "-p", str(self.root), "-c", str(config), "-e", str(self.root / "error.log")],
                                      stderr=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        for unused in range(1000):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            self.assertIsNone(self.nginx.poll(), "nginx did not start")
            time.sleep(0.01) # a poll with a limit, not a guess: connecting is the hand-shake
        self.fail("nginx does not answer")

    def tearDown(self):
        self.nginx.send_signal(signal.SIGTERM)
        self.nginx.wait(20)
        super().tearDown()

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def put(self, name, data):
        (self.root / "www" / name).write_bytes(data)

    def test_many(self):
        sizes = [i * 7 for i in range(1000)] + [1000000]
        for i, size in enumerate(sizes):
            self.put("file%d" % i, body(i, size))
        result = self.fetch([self.url("/file%d" % i) for i in range(len(sizes))])
        self.assertEqual((result.status, result.stderr, result.report["failed"]), (0, "", 0))
        for i, size in enumerate(sizes):
            self.assertEqual(result.read(i + 1), body(i, size))
        self.assertEqual(len(result.names()), len(sizes))

    def test_ways_of_ending(self):
        self.put("file1", body(1, 50000))
        urls = [self.url(p) for p in ("/file1", "/close/file1", "/slow/file1", "/old", "/gone", "/missing", "/file1?q=1")]
        urls += ["http://localhost:%d/file1" % self.port, "http://[::1]:%d/file1" % self.port]
        result = self.fetch(urls)
        for number in (1, 2, 3, 4, 7, 8, 9):
            self.assertEqual(result.read(number), body(1, 50000), urls[number - 1])
        self.assertEqual({u: f["text"].split(":")[0] for u, f in result.failures.items()},
                         {urls[4]: "status 410", urls[5]: "status 404"})

    def test_keeps_connections(self):
        """One worker, one at a time: as few connections as the server allows."""
        self.put("file1", b"x" * 130)
        result = self.fetch([self.url("/file1")] * 50, "-w", "1", "-c", "1")
        self.assertEqual(result.report["ok"], 50)
        log = (self.root / "access.log").read_text().splitlines()
        self.assertEqual(len(log), 50)
        self.assertEqual(len(set(log)), -(-50 // self.requests))


class ClosesOften(Nginx):
    """nginx closes each connection after 3 requests: the pool must live with it."""
    requests = 3


if NGINX is None:
    print("SKIPPED nginx is not installed (apt-get install nginx-light)")
    sys.exit(77)
main()
