#!/bin/bash
# `make run`: a real disk image travels from a web server into volumes, is compared with the original, and boots.
# `make run SOURCE=https://...`: looks at that image and imports it. Everything is below .run/; run it as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."
run=.run
data=$run/data
cdi=.venv/bin/cdi
marker=DISK-BOOTED
boot_limit_s=120
nginx_pid=

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { # COMMAND...: what a user would type, then what it says
    printf '\033[2m$ %s\033[0m\n' "${*/#.venv\/bin\//}"
    "$@"
}
die() {
    echo "make run: $*" >&2
    exit 1
}

stop_everything() {
    [[ -z $nginx_pid ]] || kill "$nginx_pid" 2>/dev/null || true
    [[ -z $nginx_pid ]] || wait "$nginx_pid" 2>/dev/null || true
}
trap stop_everything EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

python_says() { # EXPRESSION
    .venv/bin/python -c "import json, sys; print($1)"
}

free_port() {
    .venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

serve() { # IMAGES PORT: sets nginx_pid
    local prefix=$PWD/$run/nginx
    mkdir -p "$prefix/tmp"
    sed -e "s|IMAGES|$1|" -e "s|PORT|$2|" examples/nginx.conf >"$prefix/nginx.conf"
    # Root's nginx would give its workers to another user; there are none (master_process off).
    PATH=$PATH:/usr/sbin nginx -p "$prefix" -c nginx.conf -e "$prefix/error.log" &
    nginx_pid=$!
    # --retry-connrefused asks until it listens: no sleep that is too short on one machine and too long on another.
    curl -sf --retry 50 --retry-delay 0 --retry-max-time 10 --retry-connrefused -o /dev/null -I \
        "http://127.0.0.1:$2/images/debian.qcow2" || die "nginx did not start: $(tail -3 "$prefix/error.log")"
}

compare() { # RAW DISK: the disk has the original's bytes, and only zeros after them
    show qemu-img compare -f raw -F raw "$1" "$2" || die "$2 differs from the original"
    # qemu-img speaks for itself above; this does not go through its idea of what a hole is.
    cmp -n "$(stat -c %s "$1")" "$1" "$2" || die "$2 differs from the original"
}

boot() { # DISK: until its serial console speaks
    local console=$run/console.log
    rm -f "$console"
    # snapshot=on: what the guest writes is thrown away, the volume stays as it was imported.
    timeout --foreground "$boot_limit_s" qemu-system-x86_64 -machine q35,accel=tcg -cpu max -m 256 -display none \
        -monitor none -no-reboot -nic none -serial stdio -drive "file=$1,format=raw,if=virtio,snapshot=on" \
        </dev/null | tr -d '\r' >"$console" || die "the machine did not switch off within $boot_limit_s s: $console"
    grep --color=never "$marker" "$console" || die "the serial console never said $marker: $console"
}

import_own() { # URL
    local name manifest size kind=http
    # One volume per URL: the same one continues or is there already, another one is imported beside it.
    name=yours-$(printf %s "$1" | sha256sum | cut -c1-8)
    manifest=$run/manifests/$name.yaml
    case $1 in
    http://* | https://*) ;;
    s3://*) kind=s3 ;;
    *) die "SOURCE is a URL: http://, https:// or s3://. A file of this machine: cdi import $1 ./disk.img" ;;
    esac
    say "looking at it (header only)"
    show $cdi inspect "$1"
    size=${SIZE:-$($cdi inspect --json "$1" | python_says 'json.load(sys.stdin)["virtualSize"] or ""')}
    [[ -n $size ]] || die "only its end will tell how large the disk is: make run SOURCE=... SIZE=20Gi"
    mkdir -p "$run/manifests"
    cat >"$manifest" <<EOF
apiVersion: cdi.kubevirt.io/v1beta1
kind: DataVolume
metadata:
  name: $name
spec:
  source:
    $kind:
      url: $(printf %s "$1" | python_says 'json.dumps(sys.stdin.read())')
  storage:
    storageClassName: local-dir
    resources:
      requests:
        storage: "$size"
EOF
    say "importing it with $manifest"
    show $cdi run -f "$manifest" --data "$data" --wait
    show $cdi get dv --data "$data"
    ls -lsh "$data/default/$name/disk.img"
}

import_demo() {
    local images port original disk
    say "making a bootable disk (Debian kernel, busybox, syslinux); cached"
    images=$(examples/bootable/build.sh)
    original=$images/debian.raw
    ls -sh "$images"

    port=$(free_port)
    say "serving it on http://127.0.0.1:$port/images/"
    serve "$images" "$port"
    rm -rf "$data"
    mkdir -p "$run/manifests"
    for name in disk-from-qcow2 disk-from-raw-xz; do
        sed "s/PORT/$port/" "examples/one-machine/$name.yaml" >"$run/manifests/$name.yaml"
    done

    say "importing: examples/one-machine/*.yaml"
    show $cdi inspect "http://127.0.0.1:$port/images/debian.qcow2"
    for name in disk-from-qcow2 disk-from-raw-xz; do
        show $cdi run -f "$run/manifests/$name.yaml" --data "$data" --wait
    done
    show $cdi get dv --data "$data"

    say "comparing with the original"
    for name in rootdisk-vm1 rootdisk-vm2; do
        disk=$data/default/$name/disk.img
        compare "$original" "$disk"
    done
    ls -lsh "$data"/default/*/disk.img

    say "booting rootdisk-vm1 (emulated, no KVM needed)"
    boot "$data/default/rootdisk-vm1/disk.img"
    what_next
}

what_next() {
    say "all good. What to try next"
    cat <<EOF
  cdi describe dv rootdisk-vm1 --data .run/data     all that is known about one volume
  cdi inspect URL                                   what an image is, without downloading it
  cdi import URL ./disk.img --checksum sha256:...   one image into one file or device; Ctrl-C, again: it resumes
  make run SOURCE=https://...                       your own image
  examples/*.yaml, README.md, docs/                 manifests to copy, and why it is made like this
(cdi is .venv/bin/cdi.)
EOF
}

if [[ $# -gt 0 && -n $1 ]]; then import_own "$1"; else import_demo; fi
