#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A channel in Python's asyncio, through ctypes and nothing else: `await rx.recv()` beside any other coroutine.

LIBSTRAIT names the shared library (default: libstrait.so.1)."""

import asyncio
import ctypes
import errno
import os

lib = ctypes.CDLL(os.environ.get("LIBSTRAIT", "libstrait.so.1"))
lib.strait_error.restype = ctypes.c_char_p
lib.strait_recv.restype = ctypes.c_int64
lib.strait_recv.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64]
lib.strait_attach.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
lib.strait_rx_open.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
for name in ("strait_rx_fd", "strait_rx_arm", "strait_rx_close", "strait_detach"):
    getattr(lib, name).argtypes = [ctypes.c_void_p]

NOW = 0


def check(r):
    if r < 0:
        raise OSError(-r, lib.strait_error().decode())
    return r


class Rx:
    def __init__(self, segment, channel, size=48):
        self.segment, self.rx = ctypes.c_void_p(), ctypes.c_void_p()
        check(lib.strait_attach(segment.encode(), None, ctypes.byref(self.segment)))
        check(lib.strait_rx_open(self.segment, channel.encode(), None, ctypes.byref(self.rx)))
        self.fd = check(lib.strait_rx_fd(self.rx))
        self.buffer = ctypes.create_string_buffer(size)

    async def recv(self):
        """The next message's bytes, or None when the last sender has left."""
        while True:
            n = lib.strait_recv(self.rx, self.buffer, len(self.buffer), NOW)
            if n >= 0:
                return self.buffer.raw[:n]
            if n == -errno.EPIPE:
                return None
            if n != -errno.EAGAIN:
                check(n)
            if check(lib.strait_rx_arm(self.rx)) == 0:
                await self.readable()

    async def readable(self):
        loop = asyncio.get_running_loop()
        event = loop.create_future()
        loop.add_reader(self.fd, lambda: event.done() or event.set_result(None))
        try:
            await event
        finally:
            loop.remove_reader(self.fd)

    def close(self):
        lib.strait_rx_close(self.rx)
        lib.strait_detach(self.segment)


async def tick():
    while True:  # whatever else the program does
        await asyncio.sleep(0.01)


async def main():
    rx = Rx("hello", "greetings")
    other = asyncio.create_task(tick())
    print("waiting", flush=True)
    while (message := await rx.recv()) is not None:
        print(message.rstrip(b"\0").decode())
    other.cancel()
    rx.close()


asyncio.run(main())
