# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tools/dev test: the groups one after the other, each within its time, then a table, what failed, what was skipped, and the
# line that CI reads. A group is a meson suite of the gcc build; lint, clang, asan and tsan are more than that.

# seconds that a group may take; in this order
test_order=(unit layout headers process state async wakes async-guest fetch shmctl bridge newcomer numa crash model fuzz lint clang asan tsan)
declare -A test_seconds=(
    [unit]=120 [layout]=60 [headers]=120 [process]=240 [state]=300 [async]=240 [wakes]=420 [async-guest]=300 [fetch]=240 [shmctl]=240 [bridge]=300
    [newcomer]=420 [numa]=240 [crash]=600 [model]=180 [fuzz]=300 [lint]=420 [clang]=240 [asan]=600 [tsan]=600
)
test_seconds_other=240   # a suite that is not in the list
test_seconds_all=2700    # altogether: what starts later gets what is left. The aim is 1500; a slow or busy machine must still reach the end
test_apart=(soak bench)  # suites with commands of their own

test_rows=() test_notes=() test_passed=0 test_failed=0 test_skipped=0

tests_suites() { # the suites that the gcc build's tests name, a line each
    python3 "$top/tools/dev.d/tally.py" suites "$top/build/meson-info/intro-tests.json"
}

tests_have_suite() {
    local suites
    mapfile -t suites < <(tests_suites)
    [[ " ${suites[*]} " == *" $1 "* ]]
}

# The groups that there are, in order; suites that nobody listed come last.
test_groups() {
    local suites group
    mapfile -t suites < <(tests_suites)
    for group in "${test_order[@]}"; do
        case $group in
        lint | clang | asan | tsan) printf '%s\n' "$group" ;;
        *) [[ " ${suites[*]} " != *" $group "* ]] || printf '%s\n' "$group" ;;
        esac
    done
    for group in "${suites[@]}"; do
        [[ " ${test_order[*]} ${test_apart[*]} " == *" $group "* ]] || printf '%s\n' "$group"
    done
}

test_seconds_of() { # GROUP -> seconds, less where the whole run's time ends
    local own=${test_seconds[$1]:-$test_seconds_other} left=$((test_seconds_all - SECONDS))
    printf '%s' $((own < left ? own : left))
}

test_count() { # PASSED FAILED SKIPPED: of the group that runs
    group_passed=$((group_passed + $1)) group_failed=$((group_failed + $2)) group_skipped=$((group_skipped + $3))
}

test_note() { # LINE: printed below the table
    test_notes+=("$*")
}

# The sanitizers' fixed addresses and kernels that place mappings with more than 28 random bits do not go together.
test_wrapper() { # VARIANT: what to run meson under, and meson's own options
    case $1 in
    asan | tsan)
        if (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0) > 28)) && setarch -R true 2>/dev/null; then
            printf '%s\n' setarch -R
        fi
        ;;
    esac
}

# Runs meson suites in a build and counts them. What meson had no time to log counts as one failure.
test_meson() { # VARIANT SECONDS SUITE...
    local dir seconds=$2 log status=0 suites=() counts notes wrapper slower=1
    dir=$(build_folder "$1")
    log=$dir/meson-logs/$group.json
    for suite in "${@:3}"; do
        suites+=(--suite "$suite")
    done
    rm -f "$log"
    mapfile -t wrapper < <(test_wrapper "$1")
    [[ $1 != ?san ]] || slower=4
    # without halt_on_error, undefined behaviour is printed and the test passes
    # die_after_fork: a worker forked by a program with threads may start threads of its own
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=die_after_fork=0 \
        timeout --kill-after=15 "$seconds" "${wrapper[@]}" meson test -C "$dir" --no-rebuild --print-errorlogs \
        --logbase "$group" --timeout-multiplier "$slower" "${suites[@]}" </dev/null || status=$?
    { read -r -a counts && mapfile -t notes; } < <(python3 "$top/tools/dev.d/tally.py" count "$log" "$dir")
    test_count "${counts[@]}"
    test_notes+=("${notes[@]}")
    if ((status == 124 || status == 137)); then
        test_count 0 $((counts[1] == 0)) 0 # meson has counted those that it had to stop
        test_note "FAILED $group: not done within $seconds s; again: tools/dev test $group"
    elif ((counts[1] == 0 && (status != 0 || counts[0] + counts[2] == 0))); then
        test_count 0 1 0
        test_note "FAILED $group: no test ran or meson failed ($status); again: meson test -C $dir ${suites[*]}"
    fi
}

test_variant() { # VARIANT SUITE...: build, then run the short form
    local variant=$1
    shift
    if ! build_variant "$variant"; then
        test_count 0 1 0
        test_note "FAILED $group: the $variant build; again: ninja -C $(build_folder "$variant")"
        return
    fi
    local suites=() suite
    for suite in "$@"; do
        ! tests_have_suite "$suite" || suites+=("$suite")
    done
    ((${#suites[@]} == 0)) || STRAIT_SHORT=1 test_meson "$variant" "$(test_seconds_of "$group")" "${suites[@]}"
}

test_lint() {
    local checks=("${lint_checks[@]/tidy/}") # the analyser takes minutes: it is part of `lint`, not of `test`
    mapfile -t checks < <(printf '%s\n' "${checks[@]}" | grep .)
    lint_run "${checks[@]}"
    test_count $((${#checks[@]} - ${#lint_failed[@]})) ${#lint_failed[@]} 0
    local check
    for check in "${lint_failed[@]}"; do
        test_note "FAILED lint $check; again: tools/dev lint $check"
    done
    ! tests_have_suite lint || test_meson gcc "$(test_seconds_of lint)" lint
}

test_group() { # GROUP
    local group=$1 group_passed=0 group_failed=0 group_skipped=0 start result
    start=$(now_ms)
    heading "$group"
    if (($(test_seconds_of "$group") <= 0)); then
        test_count 0 1 0
        test_note "FAILED $group: the $test_seconds_all s of the whole run are over; again: tools/dev test $group"
    else
        case $group in
        lint) test_lint ;;
        without-suite)
            test_count 0 1 0
            test_note "FAILED: a test names no suite, so no group runs it; see 'meson test -C $top/build --list'"
            ;;
        clang) test_variant clang unit ;;
        # whatever can run there; what cannot says so. shmctl has one thread, so a look for races says nothing
        asan) test_variant asan unit layout process state async fetch shmctl crash ;;
        tsan) test_variant tsan unit layout process state async fetch crash ;;
        *) test_meson gcc "$(test_seconds_of "$group")" "$group" ;;
        esac
    fi
    result=passed
    ((group_passed > 0)) || result=built
    ((group_skipped == 0)) || result="$group_skipped skipped"
    ((group_failed == 0)) || result="$group_failed FAILED"
    test_rows+=("$group $((group_passed + group_failed + group_skipped)) ${result// /_} $(($(now_ms) - start))")
    test_passed=$((test_passed + group_passed))
    test_failed=$((test_failed + group_failed))
    test_skipped=$((test_skipped + group_skipped))
}

test_table() {
    local row colour group tests result ms
    printf '\n%s%-14s %6s  %-14s %8s%s\n' "$bold" group tests result seconds "$plain"
    for row in "${test_rows[@]}"; do
        read -r group tests result ms <<<"$row"
        colour=$green
        [[ $result != *skipped ]] || colour=$yellow
        [[ $result != *FAILED ]] || colour=$red
        printf '%-14s %6s  %s%-14s%s %8s\n' "$group" "$tests" "$colour" "${result//_/ }" "$plain" "$((ms / 1000)).$((ms % 1000 / 100))"
    done
    printf '\n'
    ((${#test_notes[@]} == 0)) || printf '%s\n' "${test_notes[@]}" ''
    printf '%d passed, %d failed, %d skipped\n' "$test_passed" "$test_failed" "$test_skipped"
}

dev_test() {
    local groups group
    packages_need run test lint guest port
    if ! build_variant gcc; then
        printf '0 passed, 1 failed, 0 skipped\n'
        exit 1
    fi
    if [[ -z $(tests_suites) ]]; then # configured when cmocka was not here
        touch "$top/build/.stale"
        build_variant gcc
    fi
    mapfile -t groups < <(test_groups)
    if [[ ${1:-} == --list ]]; then
        say "${groups[@]}"
        return
    fi
    for group in "$@"; do
        [[ " ${groups[*]} " == *" $group "* ]] || usage "no tests in group '$group': ${groups[*]}"
    done
    (($#)) || set -- "${groups[@]}"
    for group in "$@"; do
        test_group "$group"
    done
    test_table
    ((test_failed == 0 && test_passed > 0))
}
