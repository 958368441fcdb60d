#!/bin/sh
# Installs what the tests need on a Debian machine as root, and makes .venv.
set -eu
need=""
for pair in qemu-img:qemu-utils nginx:nginx xz:xz-utils zstd:zstd pigz:pigz mkfs.xfs:xfsprogs tinyproxy:tinyproxy openssl:openssl curl:curl; do
  command -v "${pair%%:*}" >/dev/null || need="$need ${pair##*:}"
done
[ -e /usr/lib/x86_64-linux-gnu/libmagic.so.1 ] || need="$need libmagic1"
[ -z "$need" ] || { apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $need; }
"${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install -q -e '.[dev]'
