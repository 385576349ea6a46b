#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rolling upgrade of docs/OPERATION.md: two generations with different layouts side by side, the old one leaves.
Usage: upgrade.py SOURCE_ROOT COMPILER OLD"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

root, compiler, old = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], os.path.abspath(sys.argv[3])


def build_new(folder):
    """The library with another layout version, and one field more."""
    for part in ("shm", "lib"):
        shutil.copytree(root / part, folder / part)
    header = folder / "shm/strait/layout.h"
    text = header.read_text(encoding="utf-8")
    ours = int(re.search(r"#define STRAIT_LAYOUT_VERSION (\d+)", text)[1])
    moved = re.sub(r"(#define STRAIT_LAYOUT_VERSION) \d+", rf"\1 {ours + 1}", text)
    moved = moved.replace("uint64_t unused1[7];\n    /* consumers */", "uint64_t unused1[15];\n    /* consumers */")
    assert moved.count(f"VERSION {ours + 1}") == 1 and "unused1[15]" in moved, "layout.h has changed: change this test"
    header.write_text(moved, encoding="utf-8")
    names = ("process", "error", "version", "endpoint", "spread", "node", "topology", "numa_none",
             "channel", "sender", "receiver", "pack", "batch", "reply")
    stubs = folder / "stubs.c"  # what awaits and descriptors would want to know; nobody uses them here
    stubs.write_text("void strait_await_orphan(void *a, void *h) { (void)a, (void)h; }\n"
                     "void strait_rx_fd_close(void *e) { (void)e; }\n", encoding="utf-8")
    subprocess.run([compiler, "-O0", "-w", "-D_GNU_SOURCE", "-std=gnu17", "-I", folder / "shm", "-I", folder / "lib",
                    root / "tests/layout/upgrade.c", stubs, *sorted((folder / "shm").glob("*.c")),
                    *(folder / "lib" / f"{name}.c" for name in names), "-pthread", "-o", folder / "new"], check=True)
    return folder / "new", ours


def start(program, word):
    return subprocess.Popen([program, word], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def expect(process, line):
    said = process.stdout.readline().rstrip("\n")
    assert said == line, f"{process.args}: '{said}', expected '{line}'"


def say(client, line):
    client.stdin.write(line + "\n")
    client.stdin.flush()


def leave(process):
    if process.stdin:
        process.stdin.close()
    assert process.wait(timeout=20) == 0, process.args


def main():
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="strait-test-") as place, \
            tempfile.TemporaryDirectory(prefix="strait-test-") as folder:
        os.environ["STRAIT_DIR"] = place
        new, ours = build_new(pathlib.Path(folder))
        earlier, later = f"strait.orders.v{ours}", f"strait.orders.v{ours + 1}"
        servers = {old: start(old, "serve")}
        expect(servers[old], "ready")
        clients = {old: start(old, "send")}
        say(clients[old], "before")
        expect(servers[old], "before")
        servers[new] = start(new, "serve")  # 1
        expect(servers[new], "ready")
        clients[new] = start(new, "send")  # 2
        for program, line in ((new, "to the new one"), (old, "to the old one, still"), (new, "again")):
            say(clients[program], line)
            expect(servers[program], line)
        assert sorted(os.listdir(place)) == sorted([earlier, later])
        say(clients[old], "last words")
        leave(clients[old])  # 3
        expect(servers[old], "last words")
        expect(servers[old], "removed 1")
        leave(servers[old])
        assert os.listdir(place) == [later]
        say(clients[new], "on we go")
        expect(servers[new], "on we go")
        os.rename(f"{place}/{later}", f"{place}/{earlier}")  # a name that lies is refused, readably
        said = subprocess.run([old, "send"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
        assert f"layout version is {ours + 1} there, {ours} here" in said, said
        os.rename(f"{place}/{earlier}", f"{place}/{later}")
        leave(clients[new])
        expect(servers[new], "removed 1")
        leave(servers[new])
    print("ok: two generations, side by side")


if __name__ == "__main__":
    main()
