#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the layout as it is compiled with golden.txt. Usage: golden.py [--update] DUMP"""

import difflib
import pathlib
import subprocess
import sys

GOLDEN = pathlib.Path(__file__).with_name("golden.txt")


def version(lines):
    return next(line for line in lines if line.startswith("STRAIT_LAYOUT_VERSION "))


def main():
    update = sys.argv[1] == "--update"
    now = subprocess.run([sys.argv[-1]], capture_output=True, text=True, check=True).stdout.splitlines()
    if update:
        GOLDEN.write_text("\n".join(now) + "\n", encoding="utf-8")
        return 0
    golden = GOLDEN.read_text(encoding="utf-8").splitlines()
    if golden == now:
        return 0
    print("\n".join(difflib.unified_diff(golden, now, "golden.txt", "this build", lineterm="", n=2)))
    if version(golden) == version(now):
        print("The layout has changed. Once a version is released, that needs a new STRAIT_LAYOUT_VERSION; then:")
    print(f"  {sys.argv[0]} --update {sys.argv[-1]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
