#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a C program that prints the shared layout: every number and structure that strait/layout.h declares, so that
none can be forgotten. Usage: dump.py LAYOUT_H OUTPUT_C"""

import re
import sys

TYPE = r"(?:struct \w+|u?int\d+_t|char)\s+"


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def numbers(text):
    """Macros with a value and enumerators."""
    yield from re.findall(r"^#define (STRAIT_\w+)[ \t]+\S", text, flags=re.M)
    for body in re.findall(r"enum \w+ \{(.*?)\}", text, flags=re.S):
        yield from re.findall(r"STRAIT_\w+", re.sub(r"=[^,]*", "", body))


def structures(text):
    """(name, fields) of each structure; array bounds do not matter here, sizeof sees them."""
    for name, body in re.findall(r"struct (\w+) \{(.*?)\n\};", text, flags=re.S):
        fields = []
        for declaration in body.split(";"):
            declared = re.sub("^" + TYPE, "", declaration.strip())
            fields += [re.sub(r"\[.*", "", field).strip() for field in declared.split(",") if declared]
        yield name, fields


def main(header, output):
    with open(header, encoding="utf-8") as file:
        text = without_comments(file.read())
    lines = ["#include <inttypes.h>", "#include <stdio.h>", '#include "layout.h"', "int main(void)", "{",
             "    uint32_t v[STRAIT_LAYOUT_FIELDS] = {0};"]
    for name in numbers(text):
        lines.append(f'    printf("{name} %" PRIu64 "\\n", (uint64_t)({name}));')
    for name, fields in structures(text):
        lines.append(f'    printf("\\nstruct {name} %zu\\n", sizeof(struct {name}));')
        for field in fields:
            lines.append(f'    printf("  %5zu %5zu {field}\\n", offsetof(struct {name}, {field}), '
                         f"sizeof(((struct {name} *)0)->{field}));")
    lines += ["    for (uint32_t i = 0; i < strait_layout_fields_n; i++)", "        v[i] = strait_layout_fields[i].value;",
              '    printf("\\nfingerprint %016" PRIx64 " of %u fields\\n", '
              "strait_layout_fingerprint(v, strait_layout_fields_n), strait_layout_fields_n);",
              "    return 0;", "}", ""]
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
