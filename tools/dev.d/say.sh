# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the commands say: plain lines, coloured on a terminal only.

bold='' red='' green='' yellow='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
fi

say() {
    printf '%s\n' "$*"
}

heading() {
    printf '%s== %s%s\n' "$bold" "$*" "$plain"
}

die() { # the sentence that says what to do
    printf '%stools/dev: %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}

usage() {
    printf 'tools/dev: %s\nTry tools/dev --help\n' "$*" >&2
    exit 2
}

not_built() {
    printf 'tools/dev: %s is not built yet: the tree has no such thing so far\n' "$*" >&2
    exit 2
}

# Runs a command quietly; what it printed appears only if it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    ((status == 0)) || cat "$log" >&2
    rm -f "$log"
    return "$status"
}

now_ms() {
    local us=${EPOCHREALTIME//[.,]/}
    printf '%s' "${us%???}"
}
