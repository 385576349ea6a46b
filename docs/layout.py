#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/LAYOUT.md out of shm/strait/layout.h (what a field is, who writes and reads it) and tests/layout/golden.txt (where it is).
layout.py           does LAYOUT.md say what it should?
layout.py --update  write it"""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
PAGE = TOP / "docs/LAYOUT.md"
HEAD = """# The shared bytes, version {version}

Written by `docs/layout.py --update` from `shm/strait/layout.h` and `tests/layout/golden.txt`; a test compares. Offsets and sizes are in
bytes. No pointers: what is called `…_off` counts from the segment's start, and is checked on every load. *admin*: under the
segment's admin lock. What the words' transitions are: [PROTOCOLS](PROTOCOLS.md).

```
header | leases | errors | directory | arena: objects, each page-aligned, zeroed and reserved before it is published
```

Two builds attach to each other's segments only if every number of the header's `layout` is equal; the fingerprint of this one is
`{fingerprint}`. Otherwise -ESTALE, with the name of the first that differs.
"""


def one_line(comment):
    text = " ".join(re.sub(r"^\s*\*+ ?", "", line) for line in comment.strip("/* \n").split("\n"))
    return " ".join(text.split()).replace("|", "\\|")


def structures(text):
    """name -> (what stands above it, {field: its comment})"""
    found = {}
    for m in re.finditer(r"(?:/\*\*((?:(?!\*/).)*)\*/\n)?struct (\w+) \{\n(.*?)\n\};", text, re.S):
        fields = {}
        for line in m[3].split("\n"):
            said = re.match(r"\s*(?:struct \w+|\w+)\s+([^;]+);\s*(?:/\*(.*?)\*/)?", line)
            for name in said[1].split(",") if said else ():
                fields[re.sub(r"\[.*", "", name).strip()] = one_line(said[2] or "")
        found[m[2]] = (one_line(m[1] or ""), fields)
    return found


def placed(golden):
    """(structure, bytes, [(offset, bytes, field)])"""
    for block in re.findall(r"^struct (.*?)(?=\n\n|\Z)", golden, re.S | re.M):
        first, *rest = block.split("\n")
        name, size = first.split()
        yield name, size, [line.split() for line in rest if line.strip()]


def page():
    golden = (TOP / "tests/layout/golden.txt").read_text(encoding="utf-8")
    header = (TOP / "shm/strait/layout.h").read_text(encoding="utf-8")
    known, out = structures(header), []
    values = dict(re.findall(r"^(STRAIT_\w+) (\d+)$", golden, re.M))
    out.append(HEAD.format(version=values["STRAIT_LAYOUT_VERSION"],
                           fingerprint=re.search(r"fingerprint (\w+)", golden)[1]))
    for name, size, fields in placed(golden):
        what, comments = known.get(name, ("", {}))
        out.append(f"## struct {name}, {size} bytes\n" + (f"\n{what}\n" if what else ""))
        out.append("| offset | bytes | field | |\n|--:|--:|---|---|")
        out += [f"| {at} | {n} | `{field}` | {comments.get(field, '')} |" for at, n, field in fields
                if not field.startswith("unused")]
        out.append("")
    out.append("## Numbers\n\n| name | value |\n|---|--:|")
    out += [f"| `{name}` | {int(value):#x} |" if int(value) > 0xFFFFFF else f"| `{name}` | {value} |"
            for name, value in values.items()]
    return "\n".join(out) + "\n"


def main():
    if sys.argv[1:] == ["--update"]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        print("docs/LAYOUT.md is not what layout.h and golden.txt say; mend it with: docs/layout.py --update")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
