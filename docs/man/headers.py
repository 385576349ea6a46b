# SPDX-License-Identifier: MIT
"""The installed headers as a list of documented things, for pages.py and its check.

What the parser knows is our style: a docstring /** ... */ stands directly above what it describes, and holds for the
declarations that follow it until a blank line; a plain comment /* ... */ above functions says that they are not for
calling (the slow sides of inline calls, say).
"""

import re
from dataclasses import dataclass, field


@dataclass
class Function:
    name: str
    returns: str
    arguments: list


@dataclass
class Item:
    """A docstring and what it describes: functions, or types."""

    doc: str
    functions: list = field(default_factory=list)
    types: list = field(default_factory=list)
    inner: bool = False


@dataclass
class Header:
    name: str  # "strait/channel.h"
    doc: str
    items: list

    @property
    def noun(self):
        return re.sub(r"\W", "_", re.sub(r"^strait/|\.h(pp)?$", "", self.name))

    def public(self):
        return [item for item in self.items if item.functions and not item.inner]

    def inner(self):
        return [function for item in self.items if item.inner for function in item.functions]


PIECE = re.compile(
    r"(?P<blank>\n[ \t]*\n)"
    r"|(?P<doc>/\*\*(?!\*).*?\*/)"
    r"|(?P<comment>/\*.*?\*/)"
    r"|(?P<directive>^[ \t]*#(?:\\\n|[^\n])*)"
    r"|(?P<code>[^\s/#](?:[^;{/]|/(?!\*)|/\*(?!\*).*?\*/)*[;{])",
    re.S | re.M,
)


def doc_text(comment):
    """Without the stars; indentation behind them is kept."""
    lines = comment[3:-2].split("\n")
    lines = [re.sub(r"^\s*\* ?", "", line) if i else line.strip() for i, line in enumerate(lines)]
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def body_end(text, at):
    """Behind the brace that closes the one at `at`, and a semicolon that follows."""
    depth = 0
    for i in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            tail = re.match(r"[^;\n]*;", text[i + 1 :])
            return i + 1 + (tail.end() if tail else 0)
    return len(text)


def split_arguments(text):
    depth, arguments, current = 0, [], ""
    for c in text:
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 0:
            arguments.append(current.strip())
            current = ""
        else:
            current += c
    return [a for a in arguments + [current.strip()] if a]


def function_of(code):
    code = re.sub(r"/\*.*?\*/", "", re.sub(r"\s+", " ", code)).strip(" ;{")
    m = re.match(r"(STRAIT_API|STRAIT_INLINE) (.*?)(\w+)\((.*)\)$", code)
    if not m or m[2].startswith("extern"):
        return None
    return Function(m[3], m[2].strip(), split_arguments(m[4]))


class Parser:
    def __init__(self, name, text):
        self.text = text.split("#ifdef __cplusplus", 1)[0] if name.endswith(".hpp") else text
        self.header = Header(name, "", [])
        self.item = None  # what the next declaration belongs to
        self.free = False  # a docstring that nothing has followed yet

    def piece(self, kind, text):
        if kind == "blank":
            if self.free and not self.header.doc:
                self.header.doc = self.item.doc
            self.item, self.free = None, False
        elif kind in ("doc", "comment"):
            if kind == "doc" and self.free and not self.header.doc:
                self.header.doc = self.item.doc
            section = re.match(r"/\* *----|/\* SPDX|/\* private \*/", text)
            self.item = None if section else Item(doc_text(text) if kind == "doc" else "", inner=kind == "comment")
            self.free = kind == "doc"
        elif kind == "directive" and self.free and not self.header.doc:
            self.header.doc, self.item, self.free = self.item.doc, None, False

    def declaration(self, code):
        if code.startswith("STRAIT_"):
            function = function_of(code)
            if function is None:
                return
        elif not re.match(r"(struct|enum|typedef|union)\b", code):
            return
        if self.item is None:
            self.item = Item("")
        if self.item not in self.header.items:
            self.header.items.append(self.item)
        self.free = False
        if code.startswith("STRAIT_"):
            self.item.functions.append(function)
        elif not self.item.inner:
            self.item.types.append(code)

    def run(self):
        at = 0
        while m := PIECE.search(self.text, at):
            at, text = m.end(), m.group()
            if m.lastgroup != "code":
                at = m.end() if m.lastgroup != "blank" else m.end() - 1
                self.piece(m.lastgroup, text)
                continue
            if text.endswith("{"):
                at = body_end(self.text, m.end() - 1)
                text = self.text[m.start() : at]
            text = re.sub(r"^STRAIT_(BEGIN|END)_DECLS\s*", "", text)
            self.declaration(text.split("{")[0] if text.startswith("STRAIT_") else text)
        return self.header


def parse(name, text):
    return Parser(name, text).run()
