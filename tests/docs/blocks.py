#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every shell block of README.md and docs/, as it stands there, from the tree's top.

A line that cannot be run inside a test has a stand-in below, which is printed; what is neither run nor has one does not exist.
`# needs: staging` in a block: it installs and uses what is installed, here under DESTDIR.
Usage: blocks.py SOURCE_ROOT BUILD_DIR"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

top, build = (pathlib.Path(p).resolve() for p in sys.argv[1:])
STAND_IN = {  # what the test of the documentation would start itself by, or would take minutes
    "./tools/dev test": "./tools/dev test --list | grep -qw newcomer",
    "./tools/dev crash": "test -x tests/crash/run -o -x build/tests/crash/run",
}


def blocks():
    for page in (top / "README.md", *sorted((top / "docs").glob("*.md"))):
        for m in re.finditer(r"^```(?:sh|bash|shell|console)\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M):
            yield page.relative_to(top), m[1]


def runnable(block):
    lines = []
    for line in block.splitlines():
        command = re.sub(r"\s+#.*", "", line).strip()
        if command in STAND_IN:
            print(f"  '{command}' stands for itself by: {STAND_IN[command]}")
            line = STAND_IN[command]
        lines.append(line)
    return "\n".join(lines)


def staged(folder):
    """The surroundings in which `meson install` and pkg-config mean a folder of ours."""
    stage = pathlib.Path(folder, "stage")
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet"], check=True,
                   env={**os.environ, "DESTDIR": str(stage)}, stdout=subprocess.DEVNULL)
    found = [path.parent for path in stage.rglob("strait.pc")]
    return {"DESTDIR": str(stage), "PKG_CONFIG_PATH": str(found[0]), "PKG_CONFIG_SYSROOT_DIR": str(stage)}


def surroundings(folder, block):
    """(folder to run in, environment): the tree itself, or one of its likeness where the block writes files."""
    env = {**os.environ, "STRAIT_DIR": os.path.join(folder, "shm")}
    os.mkdir(env["STRAIT_DIR"])
    if "needs: staging" not in block:
        return top, env
    like = pathlib.Path(folder, "tree")
    like.mkdir()
    for name in ("examples", "tools", "docs"):
        (like / name).symlink_to(top / name)
    (like / "build").symlink_to(build)
    return like, {**env, **staged(folder)}


def run(page, block):
    print(f"{page}: {block.splitlines()[0]}" + (" …" if block.count("\n") > 1 else ""))
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="strait-test-") as folder:
        where, env = surroundings(folder, block)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", runnable(block)], cwd=where, env=env, text=True, timeout=150,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(done.stdout[-4000:] + f"FAILED: exit {done.returncode}")
    return done.returncode == 0


def main():
    results = [run(page, block) for page, block in blocks()]
    print(f"{len(results)} blocks, {results.count(False)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
