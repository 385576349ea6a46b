# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tools/dev lint: each check is a function lint_NAME that prints what is wrong, or one line, and fails or not.

lint_checks=(format tidy shell floors labels sizes paths faults)

lint_files() { # c | scripts
    python3 -B "$top/tools/lint/source.py" "$1"
}

lint_format() {
    local files
    mapfile -t files < <(lint_files c)
    (cd "$top" && clang-format --dry-run -Werror "${files[@]}" 2>&1) || {
        say "format: mend it with: clang-format -i FILE"
        return 1
    }
    say "format: ${#files[@]} files"
}

# What the library and its tools are made of, a process per core. (The analyser needs minutes for the benchmark's peers and
# the tests' generated tables, and says nothing there that matters to anybody who links us.)
lint_tidy() {
    local files
    build_configure gcc || return
    mapfile -t files < <(lint_built)
    ((${#files[@]} > 0))|| return 1
    (
        cd "$top"
        printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" tools/dev.d/tidy
    ) || return 1
    say "tidy: ${#files[@]} files"
}

# The files that build/ compiles, but no generated ones. The tests compile some of them again, with other words: the commands of
# the program or library that a file belongs to go to build/tidy/, so that each is looked at once.
lint_built() {
    python3 - "$top" <<'PYTHON'
import json, os, sys
top = os.path.realpath(sys.argv[1])
with open(os.path.join(top, "build", "compile_commands.json")) as f:
    commands = json.load(f)
own = {}
for command in commands:
    path = os.path.relpath(os.path.realpath(os.path.join(command["directory"], command["file"])), top)
    if path.startswith(("shm/", "lib/", "tools/", "examples/")) and not command["output"].startswith("tests/"):
        own.setdefault(path, command)
os.makedirs(os.path.join(top, "build", "tidy"), exist_ok=True)
with open(os.path.join(top, "build", "tidy", "compile_commands.json"), "w") as f:
    json.dump(list(own.values()), f)
print(*sorted(own), sep="\n")
PYTHON
}

# The pages that a script sources are checked with it.
lint_shell() {
    local files
    mapfile -t files < <(lint_files scripts)
    (cd "$top" && shellcheck --external-sources --check-sourced "${files[@]}") || return 1
    say "shell: ${#files[@]} scripts and what they source"
}

lint_floors() { "$top/tools/lint/floors"; }
lint_labels() {
    "$top/tools/lint/labels" && "$top/tools/lint/labels" --bare
}
lint_sizes() { "$top/tools/lint/sizes"; }
lint_paths() { "$top/tools/lint/paths"; }
lint_faults() { "$top/tests/faults/run" --check; } # a seed rots when the code moves on

# Sets lint_failed to the names of the checks that failed.
lint_run() { # CHECK...
    local check
    lint_failed=()
    for check in "$@"; do
        "lint_$check" </dev/null || lint_failed+=("$check")
    done
}

dev_lint() {
    local check
    for check in "$@"; do
        [[ " ${lint_checks[*]} " == *" $check "* ]] || usage "lint has no check '$check': ${lint_checks[*]}"
    done
    (($#)) || set -- "${lint_checks[@]}"
    packages_need run test lint
    lint_run "$@"
    ((${#lint_failed[@]} == 0)) || die "lint failed: ${lint_failed[*]}"
}
