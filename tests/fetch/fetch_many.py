# SPDX-License-Identifier: MIT
"""Many small GETs from a real nginx, http and https by turns, over four workers of which one is killed every second (in the
short form: again and again): every URL is answered exactly once, with the right body."""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

from certificates import OPENSSL, Authority
from fetch_common import FetchCase, main

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
SOAK = "STRAIT_SOAK_SECONDS" in os.environ
COUNT = 100000 if SOAK else 2000 if "STRAIT_SHORT" in os.environ else 10000

CONFIG = """
worker_processes 1; daemon off; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 2048; }}
http {{
    log_format fields '$scheme $connection_requests $ssl_session_reused'; access_log {root}/access.log fields;
    default_type application/octet-stream; keepalive_requests 1000;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    server {{ listen 127.0.0.1:{plain}; root {root}/www; }}
    server {{ listen 127.0.0.1:{tls} ssl; root {root}/www; ssl_certificate {cert}; ssl_certificate_key {key};
              ssl_session_cache shared:SSL:10m; }}
}}
"""


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for unused in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def text_of(number):
    return b"file %d " % number * (1 + number % 20)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


class Many(FetchCase):
    folder = "/dev/shm"

    def setUp(self):
        super().setUp()
        self.root.chmod(0o755) # nginx's worker is another user when we are root
        www = self.root / "www"
        www.mkdir()
        for number in range(1000):
            (www / ("f%d" % number)).write_bytes(text_of(number))
        authority = Authority(self.root, "ca")
        cert, key = authority.sign("nginx", "DNS:localhost,IP:127.0.0.1")
        self.ca, (self.plain, self.tls) = str(authority.pem), free_ports(2)
        config = self.root / "nginx.conf"
        config.write_text(CONFIG.format(root=self.root, plain=self.plain, tls=self.tls, cert=cert, key=key))
        self.nginx = subprocess.Popen([NGINX, "-p", str(self.root), "-c", str(config), "-e", str(self.root / "error.log")],
                                      stderr=subprocess.DEVNULL)
        for port in (self.plain, self.tls):
            until = time.monotonic() + 30
            while True: # connecting is the hand-shake
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                self.assertIsNone(self.nginx.poll(), "nginx did not start")
                self.assertLess(time.monotonic(), until)
                time.sleep(0.01)

    def tearDown(self):
        self.nginx.send_signal(signal.SIGTERM)
        self.nginx.wait(20)
        super().tearDown()

    def url(self, number):
        scheme, port = ("https", self.tls) if number % 2 else ("http", self.plain)
        return "%s://127.0.0.1:%d/f%d?%d" % (scheme, port, number % 1000, number)

    def kill_one(self, process):
        workers = children(process.pid)
        if not workers:
            return 0
        try:
            os.kill(random.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return 0
        return 1

    def test_every_url_once(self):
        random.seed(2)
        urls, killed, out = [self.url(n) for n in range(COUNT)], 0, self.root / "out"
        began = time.monotonic()
        process = self.start(urls, "-w", "4", "-c", "32", "--cacert", self.ca, "--timeout", "120")
        while process.poll() is None:
            if SOAK:
                try:
                    process.wait(1)
                except subprocess.TimeoutExpired:
                    killed += self.kill_one(process)
            elif killed < 8 and out.exists() and len(os.listdir(out)) >= (killed + 1) * COUNT // 10:
                killed += self.kill_one(process)
            else:
                time.sleep(0.01) # between two looks
        result = self.finish(process, began, limit=600)
        self.assertEqual((result.status, result.report["ok"], result.report["failed"]), (0, COUNT, 0),
                         str(result.report["errors"]) + str(list(result.failures.values())[:3]) + result.stderr)
        self.assertEqual(result.report["answered_twice"], 0)
        self.assertGreaterEqual(killed, 3)
        self.assertGreaterEqual(result.report["workers_died"], 3)
        names = result.names()
        self.assertEqual(len(names), COUNT)
        for name in names:
            number = int(name.split("-")[0]) - 1
            self.assertEqual((result.directory / name).read_bytes(), text_of(number % 1000), name)
        log = [l.split() for l in (self.root / "access.log").read_text().splitlines()]
        reused = sum(l[2:] == ["r"] for l in log if l[1] == "1")
        self.assertGreater(sum(int(l[1]) > 1 for l in log), len(log) // 2, "connections are not kept")
        self.assertGreater(reused, 0, "no TLS session was taken up again")
        print("%d URLs over http and https, each once, in %.1f s; %d workers killed, %d transfers taken over, %d sessions reused"
              % (COUNT, result.seconds, killed, result.report["redelivered"], reused))


if NGINX is None or OPENSSL is None:
    print("SKIPPED nginx or openssl is not installed (apt-get install nginx-light openssl)")
    sys.exit(77)
main()
