#!/bin/bash
# Installs what is missing, and nothing else: setup.sh runtime | demo | test | cluster. Each level includes the ones before.
# With everything there it takes 0.1 s: programs are looked up by name, Python packages by a stamp of the lock files.
set -euo pipefail
cd "$(dirname "$0")/.."
level=$1
python=${PYTHON:-python3}

# program:package. A pattern of paths instead of a program's name is looked up as a file.
runtime=(qemu-img:qemu-utils '/usr/lib/*/libmagic.so.1:libmagic1')
demo=(nginx:nginx-light qemu-system-x86_64:qemu-system-x86 syslinux:syslinux mcopy:mtools cpio:cpio sfdisk:fdisk
    xz:xz-utils curl:curl /usr/lib/syslinux/mbr/mbr.bin:syslinux-common)
test=(openssl:openssl zstd:zstd pigz:pigz tinyproxy:tinyproxy nbdkit:nbdkit nbdcopy:libnbd-bin mkfs.xfs:xfsprogs
    mkfs.ext4:e2fsprogs losetup:mount git:git chromium:chromium)
cluster=(runc:runc '/usr/lib/cni/bridge:containernetworking-plugins' nft:nftables ip:iproute2 nsenter:util-linux
    sysctl:procps buildah:buildah debootstrap:debootstrap)

say() { echo "setup: $*" >&2; }
die() {
    say "$*"
    exit 1
}

missing_packages() { # program:package ...
    for pair in "$@"; do
        local program=${pair%%:*}
        compgen -G "$program" >/dev/null || command -v "$program" >/dev/null || echo "${pair##*:}"
    done | sort -u
}

# Administrator's programs are not on every user's PATH, but they are there.
export PATH=$PATH:/usr/sbin:/sbin

install_packages() {
    local packages
    mapfile -t packages < <(missing_packages "$@")
    [[ ${#packages[@]} -gt 0 ]] || return 0
    [[ $(id -u) == 0 ]] || die "missing: ${packages[*]}. Run as root: apt-get install -y ${packages[*]}"
    command -v apt-get >/dev/null || die "missing: ${packages[*]} (Debian's names). Install them and run this again."
    say "installing ${packages[*]}"
    # Without this Debian starts a web server on port 80 and a proxy on 8888 the moment they are installed.
    if [[ ! -e /usr/sbin/policy-rc.d ]]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
    fi
    # A new machine or container has no package lists yet; old lists name files that are gone from the mirrors.
    compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || apt-get update -qq
    apt_install "${packages[@]}" || { apt-get update -qq && apt_install "${packages[@]}"; }
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python_is_new_enough() { "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; }

install_python_packages() { # lock ...
    local stamp=.venv/.setup-$(basename "$1" .lock) wanted
    wanted=$("$python" -V; cat pyproject.toml "$@" | sha256sum)
    [[ -x .venv/bin/cdi && -e $stamp && $(<"$stamp") == "$wanted" ]] && return 0
    # Also when it was broken off, or made by another Python: then its own has no pip.
    .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
    say "installing Python packages ($level)"
    local files=(-r requirements/build.lock)
    for lock in "$@"; do files+=(-r "$lock"); done
    .venv/bin/pip install -q --disable-pip-version-check --require-hashes "${files[@]}"
    .venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$wanted" >"$stamp"
}

basic=()
command -v "$python" >/dev/null || basic+=(python3:python3)
"$python" -c 'import ensurepip, venv' 2>/dev/null || basic+=(/missing:python3-venv)
install_packages "${basic[@]}"
python_is_new_enough || die "$("$python" -V) is too old, 3.11 is needed: make setup PYTHON=python3.11"

case $level in
runtime) install_packages "${runtime[@]}" ;;
demo) install_packages "${runtime[@]}" "${demo[@]}" ;;
test) install_packages "${runtime[@]}" "${demo[@]}" "${test[@]}" ;;
cluster) install_packages "${runtime[@]}" "${demo[@]}" "${test[@]}" "${cluster[@]}" ;;
*) die "unknown level $level" ;;
esac

if [[ $level == test || $level == cluster ]]; then
    install_python_packages requirements/dev.lock
    requirements/go.sh "$level"
else
    install_python_packages requirements/worker.lock requirements/control.lock
fi
