#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Manual pages out of the installed headers: section 3 for each public call, section 7 for each header.

pages.py FOLDER VERSION HEADER...   writes man3/ and man7/ into FOLDER; fails where a public call has no docstring
As meson's install script it adds the destination itself, and the pages that are written by hand beside this file.
"""

import os
import pathlib
import re
import shutil
import sys
import textwrap
import time

sys.dont_write_bytecode = True
import headers

INSIDE = ("atomic", "bell", "layout", "lock", "ring")  # what the inline calls are made of: a page a header
LITERAL = re.compile(r"^(  |\t)")  # an indented line of a docstring is shown as it is


def date():
    at = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    return time.strftime("%B ", at) + str(at.tm_mday) + time.strftime(", %Y", at)


# ---- text to mdoc ----


def escape(line):
    line = line.replace("\\", "\\e").replace("`", "")
    line = "".join(c if ord(c) < 127 else f"\\[u{ord(c):04X}]" for c in line)
    return "\\&" + line if line[:1] in (".", "'") else line


def filled(text):
    """Running text: each sentence begins a line, no line is long."""
    out = []
    for sentence in re.split(r"(?<=[.!?])\s+", " ".join(text.split())):
        out += [escape(line) for line in textwrap.wrap(sentence, 72, break_long_words=False, break_on_hyphens=False)]
    return out


def literal(lines):
    return [".Bd -literal", *(escape(line.expandtabs().replace("/**<", "/*")) for line in lines), ".Ed"]


def blocks(text):
    """A docstring's paragraphs and indented blocks, as (is literal, lines)."""
    for paragraph in re.split(r"\n\s*\n", text):
        current = []
        for line in paragraph.split("\n"):
            if current and bool(LITERAL.match(line)) != bool(LITERAL.match(current[-1])):
                yield bool(LITERAL.match(current[0])), current
                current = []
            current.append(line)
        if current:
            yield bool(LITERAL.match(current[0])), current


def prose(text):
    out = []
    for shown, lines in blocks(text):
        if out and not shown:
            out.append(".Pp")
        out += literal(lines) if shown else filled("\n".join(lines))
    return out


def brief(text, otherwise):
    """The first sentence, for NAME."""
    sentence = re.split(r"(?<=[.:;])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(".:; ")
    sentence = sentence if 3 < len(sentence) <= 110 else otherwise
    if not re.match(r"[A-Z]{2}|CLOCK", sentence):
        sentence = sentence[:1].lower() + sentence[1:]
    return escape(sentence)


def prototype(function):
    lines = [f".Ft {function.returns}", f".Fo {function.name}"]
    lines += [f'.Fa "{argument}"' for argument in function.arguments]
    return [*lines, ".Fc"]


def title(name, section, version):
    return [f".Dd {date()}", f".Dt {name.upper()} {section}", f".Os strait {version}"]


def see(pages):
    pages = sorted(set(pages), key=lambda page: (page[1], page[0]))
    return [f".Xr {name} {section}" + (" ," if i < len(pages) - 1 else "") for i, (name, section) in enumerate(pages)]


# ---- pages ----


def split_results(doc):
    """A docstring -> (what it does, what it returns): the results stand in the last paragraph that names an -errno."""
    paragraphs = re.split(r"\n\s*\n", doc)
    at = [i for i, p in enumerate(paragraphs) if re.search(r"-E[A-Z]{2,}|^0,", p)]
    if not at or len(paragraphs) == 1:
        return doc, ""
    results = paragraphs.pop(at[-1])
    return "\n\n".join(paragraphs), results


def call_page(header, item, all_calls, version):
    names = [function.name for function in item.functions]
    does, results = split_results(item.doc)
    lines = title(names[0], 3, version) + [".Sh NAME"]
    lines += [f".Nm {name}" + (" ," if name != names[-1] else "") for name in names]
    lines += [f".Nd {brief(item.doc, 'part of ' + header.name)}", ".Sh LIBRARY", "strait (libstrait, \\-lstrait)",
              ".Sh SYNOPSIS", f".In {header.name}"]
    for function in item.functions:
        lines += prototype(function)
    lines += [".Sh DESCRIPTION", *prose(does)]
    if results:
        lines += [".Sh RETURN VALUES", *prose(results)]
    others = [(name, 3) for name in re.findall(r"\bstrait_\w+", item.doc) if name in all_calls and name not in names]
    lines += [".Sh SEE ALSO", *see([*others, (page_of(header), 7), ("strait", 7)])]
    return lines


def page_of(header):
    return "strait_" + header.noun


def listed(functions):
    lines = [".Bl -item -compact"]
    for function in functions:
        lines += [".It", *prototype(function)]
    return [*lines, ".El"]


def header_page(header, version):
    name = page_of(header)
    lines = title(name, 7, version) + [".Sh NAME", f".Nm {name}", f".Nd {brief(header.doc, header.name)}"]
    lines += [".Sh SYNOPSIS", f".In {header.name}", ".Sh DESCRIPTION", *prose(header.doc)]
    types = [(item.doc, item.types) for item in header.items if item.types and not item.inner]
    if types:
        lines += [".Ss Types"]
        for doc, declarations in types:
            lines += ([".Pp"] if lines[-1] == ".Ed" else []) + prose(doc) if doc else []
            lines += literal("\n".join(declarations).split("\n"))
    inside = header.noun in INSIDE
    inner = [f for item in header.items for f in item.functions] if inside else header.inner()
    if inner:
        lines += [".Ss Inside", "Not for calling: the inline calls are made of it.", *listed(inner)]
    calls = [] if inside else [(function.name, 3) for item in header.public() for function in item.functions]
    return [*lines, ".Sh SEE ALSO", *see([*calls, ("strait", 7)])]


def pages(parsed, version):
    """(path, its lines, or the page that it is another name of). Fails where a public call has no docstring."""
    all_calls = {function.name for header in parsed for item in header.public() for function in item.functions
                 if header.noun not in INSIDE}
    for header in parsed:
        yield f"man7/{page_of(header)}.7", header_page(header, version)
        for item in header.public() if header.noun not in INSIDE else ():
            names = [function.name for function in item.functions]
            if not item.doc:
                sys.exit(f"{header.name}: no docstring above {', '.join(names)}")
            yield f"man3/{names[0]}.3", call_page(header, item, all_calls, version)
            for alias in names[1:]:
                yield f"man3/{alias}.3", f"{names[0]}.3"


def write(folder, version, paths):
    parsed = [headers.parse("strait/" + p.name, p.read_text(encoding="utf-8")) for p in paths if p.suffix == ".h"]
    for path, lines in pages([h for h in parsed if h.noun != "strait"], version):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if isinstance(lines, str):
            target.symlink_to(lines)
        else:
            target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for page in sorted(pathlib.Path(__file__).parent.glob("*.[1-8]")):
        target = folder / f"man{page.suffix[1:]}" / page.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, target)


def main(folder, version, *paths):
    if "MESON_INSTALL_DESTDIR_PREFIX" in os.environ:
        if os.environ.get("MESON_INSTALL_DRY_RUN"):
            return
        folder = os.path.join(os.environ["MESON_INSTALL_DESTDIR_PREFIX"], folder)
    write(pathlib.Path(folder), version, [pathlib.Path(p) for p in paths])


if __name__ == "__main__":
    main(*sys.argv[1:])
