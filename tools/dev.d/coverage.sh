# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tools/dev coverage: what the tests reach of shm/, its installed headers included. Everything runs once in a build of its own
# that counts; a process that is killed takes its counts along, so the harness that kills at every instruction is left out.

coverage_suites=(unit layout state process async fetch shmctl)

dev_coverage() { # [FILE...]: these files' lines and branches that are not reached
    local dir suites=() suite
    packages_need run test
    build_variant coverage || exit 1
    dir=$(build_folder coverage)
    find "$dir" -name '*.gcda' -delete
    for suite in "${coverage_suites[@]}"; do
        suites+=(--suite "$suite")
    done
    STRAIT_SHORT=1 meson test -C "$dir" --no-rebuild --quiet --timeout-multiplier 4 --logbase coverage "${suites[@]}" \
        </dev/null >"$dir/coverage.log" 2>&1 || say "some tests failed, what they reached counts; see $dir/coverage.log and tools/dev test"
    python3 "$top/tools/dev.d/coverage.py" "$top" "$dir" "$@"
}
