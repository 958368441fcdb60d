"""A worker as in its pod: the contract's own paths, user 107 and no capability, in a mount namespace. Needs root.

    run = run_in_pod(tmp_path, {"IMPORTER_ENDPOINT": url}, data=volume)     # or device=..., at /dev/cdi-block-volume
    assert (run.status, run.result) == (0, {...})

The root is a tmpfs with the system's programs bound into it; the network is the machine's, so the metric, which every
worker with an owner serves, is moved to loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.importing import ROOT
from support.ports import free_port

UID = 107
_SETUP = r"""
set -eu
root=$1 log=$2 tmp=$3 data=$4 device=$5 scratch=$6 places=$7
mount -t tmpfs -o mode=755 none "$root"
cd "$root"
mkdir -p dev proc tmp data var/tmp
chmod 1777 var/tmp
mount --bind "$tmp" tmp
for place in $places; do
    mkdir -p ".$place"
    mount --rbind "$place" ".$place"
done
for name in bin sbin lib lib64; do
    [ ! -L "/$name" ] || cp -P "/$name" "$name"  # into /usr
done
mount --rbind /proc proc
for name in null zero urandom; do : > dev/$name; mount --bind "/dev/$name" dev/$name; done
: > dev/termination-log; mount --bind "$log" dev/termination-log
if [ -n "$data" ]; then mount --bind "$data" data; fi
if [ -n "$scratch" ]; then mkdir scratch; mount --bind "$scratch" scratch; fi
if [ -n "$device" ]; then
    mknod -m 0660 dev/cdi-block-volume b $(stat -Lc '0x%t 0x%T' "$device")
    chgrp 107 dev/cdi-block-volume
fi
shift 7
exec chroot . setpriv --reuid 107 --regid 107 --clear-groups --no-new-privs --bounding-set -all "$@"
"""


_OURS = ("source", "notes", "bytesDone")


@dataclass(frozen=True)
class PodRun:
    """``message``: what stands in /dev/termination-log. ``log``: standard error."""

    status: int
    message: str
    log: str
    progress: list[dict[str, Any]]

    @property
    def result(self) -> dict[str, Any]:
        """The contract's part of the termination JSON."""
        said: dict[str, Any] = json.loads(self.message)
        return {name: value for name, value in said.items() if name not in _OURS}


def run_in_pod(
    directory: Path,
    variables: Mapping[str, str],
    *,
    data: Path | None = None,
    device: Path | None = None,
    scratch: Path | None = None,
) -> PodRun:
    """Runs ``cdi-importer`` to its end. ``data`` is mounted at /data, ``scratch`` at /scratch; ``directory``: for the
    run's own files."""
    process = start_in_pod(directory, variables, data=data, device=device, scratch=scratch)
    stdout, stderr = process.communicate(timeout=120)
    progress = [json.loads(line) for line in stdout.splitlines()]
    return PodRun(process.returncode, (directory / "termination-log").read_text(), stderr, progress)


def start_in_pod(
    directory: Path,
    variables: Mapping[str, str],
    *,
    data: Path | None = None,
    device: Path | None = None,
    scratch: Path | None = None,
    program: str = "importer.pod",
) -> subprocess.Popen[str]:
    """The same, running: the process is the worker itself, the module ``program``. Another start with ``directory`` is
    a container's restart: it finds /tmp as it was. With another one it is a new pod."""
    root, log, tmp = directory / "root", directory / "termination-log", directory / "pod-tmp"
    root.mkdir(exist_ok=True)
    log.write_bytes(b"")
    log.chmod(0o666)
    tmp.mkdir(exist_ok=True)
    tmp.chmod(0o1777)
    places = ["/usr", "/etc", *map(str, dict.fromkeys(map(_real, (ROOT, sys.prefix, sys.base_prefix))))]
    places = [place for place in places if not place.startswith("/usr/")]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(_real(ROOT)),
        "LANG": "C.UTF-8",
        "OWNER_UID": "an-owner",
        "CDI_METRIC_ADDRESS": f"127.0.0.1:{free_port()}",
        **variables,
    }
    setup = [_SETUP, "pod", root, log, tmp, data or "", device or "", scratch or "", " ".join(places)]
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", *setup]
    command += [_real(sys.prefix) / "bin" / "python", "-m", program]
    return subprocess.Popen(
        list(map(str, command)), env=environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _real(path: str | Path) -> Path:
    return Path(path).resolve()


def give_to_pods(directory: Path) -> Path:
    """What a driver does for ``fsGroup: 107``."""
    os.chown(directory, 0, UID)
    directory.chmod(0o2775)
    return directory
