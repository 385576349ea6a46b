# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Builds, each in its own folder: gcc in build/ (the one that everything else means), clang, and the sanitizers.

build_folder() { # VARIANT
    case $1 in
    gcc) printf '%s/build' "$top" ;;
    *) printf '%s/build-%s' "$top" "$1" ;;
    esac
}

build_options() { # VARIANT: compiler, then meson's options, a line each
    case $1 in
    gcc) printf '%s\n' "${CC:-gcc}" ;;
    clang) printf '%s\n' clang ;;
    asan) printf '%s\n' gcc -Db_sanitize=address,undefined -Dbench=disabled ;;
    coverage) printf '%s\n' gcc -Db_coverage=true -Doptimization=0 -Dbench=disabled ;;
    # clang's runtime is not linked into shared libraries, hence b_lundef
    tsan) printf '%s\n' clang -Db_sanitize=thread -Db_lundef=false -Dbench=disabled ;;
    esac
}

# Where a library of this machine lies, when Debian's own tools do not tell meson: it would say lib64 then, where neither
# pkg-config nor the linker look.
build_libdir() { # CC
    local multiarch
    command -v dpkg-architecture >/dev/null && return
    multiarch=$("$1" -print-multiarch 2>/dev/null) || return 0
    [[ -z $multiarch ]] || printf '%s' "-Dlibdir=lib/$multiarch"
}

build_configure() { # VARIANT
    local dir options anew=()
    dir=$(build_folder "$1")
    if [[ -e $dir/.stale ]]; then # packages came: look for everything anew
        anew=(--wipe)
    elif [[ -f $dir/build.ninja ]]; then
        return
    fi
    mapfile -t options < <(build_options "$1"; build_libdir "${CC:-gcc}")
    CC=${options[0]} CXX=$(build_cxx "${options[0]}") quietly meson setup "${anew[@]}" "$dir" "$top" "${options[@]:1}"
}

build_cxx() { # CC
    case $1 in
    *clang) printf '%s' "${1}++" ;;
    *) printf '%s' "${CXX:-g++}" ;;
    esac
}

build_variant() { # VARIANT [TARGET...]
    local dir variant=$1
    shift
    dir=$(build_folder "$variant")
    if ! build_configure "$variant" || ! build_ninja "$dir" "$@"; then
        printf '%sthe %s build failed%s; again: ninja -C %s\n' "$red" "$variant" "$plain" "$dir" >&2
        return 1
    fi
}

build_ninja() { # DIR [TARGET...]: a moving line on a terminal, elsewhere only what went wrong
    if [[ -t 1 ]]; then
        ninja -C "$@" </dev/null
    else
        quietly ninja -C "$@"
    fi
}
