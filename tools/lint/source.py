# SPDX-License-Identifier: MIT
"""What the lints share: which files there are, and C text split into code and comments.

The splitting knows comments, strings and line ends, nothing else; our style (clang-format) does the rest: a function's
braces stand alone in column 0.
"""

import os
import re
import subprocess
import sys

C_ENDINGS = (".c", ".h", ".cc", ".cpp", ".hpp")
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def top_and_flags(argv, flags=()):
    """argv without the program -> (root of the tree to check, set of flags). Lints take [--root DIR] and their flags."""
    top, seen, rest = TOP, set(), list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--root" and rest:
            top = os.path.abspath(rest.pop(0))
        elif word in flags:
            seen.add(word)
        else:
            sys.exit(f"usage: {os.path.basename(sys.argv[0])} [--root DIR] {' '.join(f'[{f}]' for f in flags)}")
    return top, seen


def files(top):
    """Paths relative to `top`: what git tracks or would track; without git, everything but build folders."""
    git = ["git", "-c", "safe.directory=*", "-C", top]
    try:
        inside = subprocess.run(git + ["rev-parse", "--show-toplevel"], capture_output=True, text=True)
        if inside.returncode == 0 and os.path.realpath(inside.stdout.strip()) == os.path.realpath(top):
            out = subprocess.run(git + ["ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, check=True)
            names = {os.fsdecode(n) for n in out.stdout.split(b"\0") if n}
            return sorted(n for n in names if os.path.isfile(os.path.join(top, n)))
    except FileNotFoundError:
        pass
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [d for d in folders if d not in (".git", "__pycache__", ".cache") and not d.startswith("build")]
        found += [os.path.relpath(os.path.join(folder, n), top) for n in names]
    return sorted(found)


def c_files(top, folders=None):
    for name in files(top):
        if name.endswith(C_ENDINGS) and (folders is None or name.split("/")[0] in folders):
            yield name


def read(top, name):
    with open(os.path.join(top, name), encoding="utf-8", errors="replace") as f:
        return f.read()


TOKEN = re.compile(r"//(?:\\\n|[^\n])*|/\*.*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def split(text):
    """C text -> (code, comments), both of the same shape as the text: what belongs to the other is blanks.

    In the code, strings are blanks between their quotes, except in #include lines."""
    code, comments, at = [], [], 0
    for m in TOKEN.finditer(text):
        between = text[at : m.start()]
        code.append(between)
        comments.append(blank(between))
        token = m.group()
        if token[0] == "/":
            code.append(blank(token))
            comments.append(token)
        else:
            line = text[text.rfind("\n", 0, m.start()) + 1 : m.start()]
            keep = re.match(r"\s*#\s*include\s*$", line)
            code.append(token if keep else token[0] + blank(token[1:-1]) + token[-1])
            comments.append(blank(token))
        at = m.end()
    code.append(text[at:])
    comments.append(blank(text[at:]))
    return "".join(code), "".join(comments)


def functions(code):
    """Blanked code -> [(name, first line, last line)], lines from 1, the signature included."""
    lines, found, i = code.split("\n"), [], 0
    while i < len(lines):
        if lines[i].rstrip() != "{":
            i += 1
            continue
        first = i
        while first > 0 and lines[first - 1].strip() and not re.search(r"[;}{]\s*$|^#", lines[first - 1]):
            first -= 1
        last = i
        while last < len(lines) - 1 and not lines[last].startswith("}"):
            last += 1
        named = re.search(r"([A-Za-z_]\w*)\s*\((?!\()", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", " ".join(lines[first:i])))
        if named:
            found.append((named.group(1), first + 1, last + 1))
        i = last + 1
    return found


def interpreter(top, name):
    """`bash`, `python3`, … of a script without an ending, else nothing."""
    if "." in os.path.basename(name):
        return ""
    with open(os.path.join(top, name), "rb") as f:
        m = re.match(rb"#!.*?(\w+)\s*\n", f.read(80))
    return m.group(1).decode() if m else ""


def report(name, complaints, checked):
    """Prints the complaints, or one line that says what was looked at; the exit status."""
    for text in complaints:
        print(text)
    print(f"{name}: {len(complaints)} complaint(s)" if complaints else f"{name}: {checked}")
    return 1 if complaints else 0


if __name__ == "__main__":  # source.py c | scripts: their names, a line each, for tools/dev lint
    wanted = {"c": lambda n: n.endswith(C_ENDINGS), "scripts": lambda n: interpreter(TOP, n) in ("sh", "bash")}[sys.argv[1]]
    print("\n".join(filter(wanted, files(TOP))))
