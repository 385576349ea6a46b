# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Debian packages, by what they are for. A command installs the groups that it needs, and only what is missing of them.

# shellcheck disable=SC2034 # used by name
{
    packages_run=(gcc libc6-dev meson ninja-build pkg-config python3 liburing-dev libnuma-dev node-llhttp libssl-dev
        libmicrohttpd-dev systemtap-sdt-dev scdoc)
    packages_test=(libcmocka-dev libuv1-dev nginx-light openssl clang libclang-rt-14-dev g++ strace musl-tools tmux cmake mandoc
        libnats-dev nats-server iproute2)
    packages_lint=(git clang-format clang-tidy shellcheck)
    packages_bench=(g++ libzmq3-dev libnng-dev libboost-dev libck-dev libdpdk-dev libcurl4-openssl-dev
        nginx-light libnats-dev nats-server)
    packages_guest=(qemu-system-x86 busybox-static numactl cpio)
    packages_bare=(git debootstrap)
    packages_port=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static debhelper dpkg-dev lintian libnats-dev)
}

# Prints the packages of these groups that are not installed. 10 ms.
packages_missing() { # GROUP...
    local group list wanted=()
    for group in "$@"; do
        list="packages_${group}[@]"
        wanted+=("${!list}")
    done
    { dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true; } |
        awk -v wanted="${wanted[*]}" '
            $1 == "installed" { have[$2] = 1 }
            END { n = split(wanted, w, " "); for (i = 1; i <= n; i++) if (!have[w[i]]++) print w[i] }'
}

packages_need() { # GROUP...
    local missing as_root=()
    if ! command -v dpkg-query >/dev/null; then
        [[ -n ${packages_said:-} ]] || say "not a Debian machine: what is missing must be installed by hand" >&2
        packages_said=1
        return
    fi
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        if ! sudo -n true 2>/dev/null; then
            say "tools/dev: packages are missing, and this is neither root nor has it sudo without a password. Run:"
            say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
            exit 1
        fi >&2
        as_root=(sudo -n)
    fi
    packages_install "${missing[@]}"
}

packages_apt() { # ARGS: apt-get that asks nothing, waits for a lock, and starts no daemon where there is no systemd
    quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y -o DPkg::Lock::Timeout=120 "$@"
}

packages_install() { # PACKAGE...
    say "installing: $*" >&2
    packages_apt update || die "apt-get update failed"
    packages_without_daemons packages_apt install --no-install-recommends "$@" || die "apt-get install failed for: $*"
    # meson remembers what it did not find: the next build looks again
    local dir
    for dir in "$top"/build*/; do
        [[ ! -d $dir/meson-info ]] || touch "$dir/.stale"
    done
}

# Debian's nginx and nats-server start themselves when they are installed; our tests start their own, elsewhere. A masked unit
# is not started, and the mask goes right after. Nothing happens to one that was here before.
packages_without_daemons() { # COMMAND...
    local status=0 masked=() unit
    for unit in nginx nats-server; do
        if [[ -d /run/systemd/system && " $* " == *" $unit"* ]] && ! systemctl cat "$unit.service" >/dev/null 2>&1; then
            masked+=("$unit.service")
            "${as_root[@]}" systemctl --quiet mask "$unit.service"
        fi
    done
    "$@" || status=$?
    for unit in "${masked[@]}"; do
        "${as_root[@]}" systemctl --quiet unmask "$unit"
        "${as_root[@]}" systemctl --quiet disable "$unit" || true
    done
    return "$status"
}
