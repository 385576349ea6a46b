# SPDX-License-Identifier: MIT
"""Writes a C program that prints where each field lies of every structure that lib/strait/*.h defines: what callers allocate,
and what the inline fast path looks into. Usage: structures.py OUTPUT_C HEADER..."""

import os
import re
import sys


def structures(text):
    """(name, fields) of each structure; one with a structure inside has its size only."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    for name, body in re.findall(r"^struct (\w+) \{(.*?)^\};", text, flags=re.S | re.M):
        fields = []
        for declaration in body.split(";") if "{" not in body else []:
            pointer = re.search(r"\(\*(\w+)\)\(", declaration)
            declared = [pointer[1]] if pointer else declaration.split(",")
            fields += [re.search(r"(\w+)\s*(?:\[.*)?$", d.strip())[1] for d in declared if d.strip()]
        yield name, fields


def main(output, *headers):
    headers = [header for header in headers if header.endswith(".h")]
    names = [os.path.basename(header) for header in headers]
    lines = ["#include <stddef.h>", "#include <stdio.h>", *(f"#include <strait/{name}>" for name in names), "int main(void)", "{"]
    for header, name in zip(headers, names):
        with open(header, encoding="utf-8") as file:
            for struct, fields in structures(file.read()):
                lines.append(f'    printf("{struct} %zu bytes\\n", sizeof(struct {struct}));')
                lines += [f'    printf("{struct}.{field} %zu\\n", offsetof(struct {struct}, {field}));' for field in fields]
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join([*lines, "    return 0;", "}", ""]))


if __name__ == "__main__":
    main(*sys.argv[1:])
