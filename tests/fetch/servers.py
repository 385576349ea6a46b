# SPDX-License-Identifier: MIT
"""Servers that do exactly what a test tells them: HTTP by routes, TLS byte by byte, a proxy. Threads, one a connection."""
import http.server
import socket
import socketserver
import ssl
import struct
import threading


class Web:
    """An HTTP/1.1 server. routes: path (without query) -> function(handler). Every request is noted."""

    def __init__(self, routes, context=None):
        web = self
        self.requests, self.lock = [], threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with web.lock:
                    web.requests.append((self.command, self.path, dict((k.lower(), v) for k, v in self.headers.items())))
                route = routes.get(self.path.split("?")[0])
                if route:
                    route(self)
                else:
                    self.answer(404, b"nothing here")

            do_HEAD = do_GET

            def answer(self, status, data=b"", fields=(), length=None):
                self.send_response(status)
                for name, value in fields:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data) if length is None else length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def log_message(self, *unused):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

            def handle_error(self, *unused): # a client that leaves is none
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port, self.scheme = self.server.server_address[1], "https" if context else "http"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()

    def url(self, path, host="127.0.0.1"):
        return "%s://%s:%d%s" % (self.scheme, host, self.port, path)

    def seen(self, path):
        with self.lock:
            return [r for r in self.requests if r[1] == path]


class Sockets:
    """A listener; each connection is given to `serve(socket)` in a thread of its own, and closed when that returns. `done` is
    set at the end: who stalls waits for it."""

    def __init__(self, serve):
        self.serve, self.done = serve, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            self.serve(self, connection)
        except OSError:
            pass
        finally:
            connection.close()

    def stall(self):
        self.done.wait(60)

    def __exit__(self, *unused):
        self.done.set()
        self.listener.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Machine:
    """The server's side of TLS over memory, so that a test decides about every byte on the wire."""

    def __init__(self, connection, context):
        self.socket, self.into, self.out = connection, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.into, self.out, server_side=True)

    def flush(self):
        self.socket.sendall(self.out.read())

    def step(self, action):
        while True:
            try:
                result = action()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.socket.recv(65536)
                if not data:
                    raise OSError("the client has gone")
                self.into.write(data)

    def shake(self):
        self.step(self.tls.do_handshake)

    def read(self):
        return self.step(lambda: self.tls.read(65536))

    def write(self, data):
        self.step(lambda: self.tls.write(data))

    def end(self):
        """close_notify, without waiting for the client's"""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()


class Proxy(Sockets):
    """Plain http by absolute URL, https by CONNECT. hosts: "name:port" -> local port; everything else is refused with
    `refusal`. What it was asked for stands in `asked`, with the Proxy-Authorization that came with it."""

    def __init__(self, hosts, refusal="403 Forbidden"):
        super().__init__(Proxy.serve_one)
        self.hosts, self.refusal, self.asked = hosts, refusal, []

    def serve_one(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(4096)
            if not data:
                return
            head += data
        lines = head.split(b"\r\n\r\n")[0].decode().split("\r\n")
        method, target = lines[0].split()[:2]
        fields = dict((l.split(": ", 1)[0].lower(), l.split(": ", 1)[1]) for l in lines[1:])
        self.asked.append((method, target, fields.get("proxy-authorization")))
        host = target if method == "CONNECT" else target.split("/")[2]
        port = self.hosts.get(host)
        if port is None:
            client.sendall(b"HTTP/1.1 %s\r\nContent-Length: 5\r\n\r\nsorry" % self.refusal.encode())
            return
        with socket.create_connection(("127.0.0.1", port)) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                server.sendall(head.replace(target.encode(), path.encode(), 1))
            back = threading.Thread(target=self.copy, args=(server, client), daemon=True)
            back.start()
            self.copy(client, server)
            back.join(10)

    @staticmethod
    def copy(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass
