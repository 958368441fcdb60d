"""Running a case: the sides in alternating order, each run on a fresh target, our disk compared byte for byte."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.cases import Case, Rival
from bench.measure import Measured, measure
from bench.memorygroup import memory_group
from bench.servers import Address, Servers

from cdi.base.units import MiB

OURS = "cdi import"
_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8", "PYTHONPATH": str(_ROOT)}


@dataclass
class Outcome:
    """``runs``: of each side, one per round. ``group_peak``: of ours, when the case has a cgroup."""

    case: Case
    runs: dict[str, list[Measured]] = field(default_factory=dict)
    load: tuple[float, float] = (0.0, 0.0)
    group_peak: int = 0


@dataclass(frozen=True)
class Bench:
    servers: Servers
    images: Path
    scratch: Path

    def run(self, case: Case, rounds: int) -> Outcome:
        """Blocking. Raises CommandFailed, or AssertionError when our disk is not the image."""
        outcome = Outcome(case)
        before = os.getloadavg()[0]
        sides: list[Rival | None] = [None, *case.rivals]
        for number in range(rounds):
            for side in sides if number % 2 == 0 else reversed(sides):
                name = side.name if side else OURS
                outcome.runs.setdefault(name, []).append(self._run_one(outcome, side, check=number == 0))
        outcome.load = (before, os.getloadavg()[0])
        return outcome

    def _run_one(self, outcome: Outcome, side: Rival | None, *, check: bool) -> Measured:
        case = outcome.case
        address = self.servers.address(case.image, case.transport)
        _touch(self.images / case.image)
        with self._target(case) as out:
            command = self._script(side, address, out) if side else self._import(case, address, out)
            measured = self._measured(outcome, command, address.env, ours=side is None)
            if side is None and check:
                _same(out, self.images / case.disk)
            return measured

    def _measured(self, outcome: Outcome, command: list[str], env: dict[str, str], *, ours: bool) -> Measured:
        env = _ENVIRONMENT | env
        if not outcome.case.memory:
            return measure(command, env, self.scratch)
        with memory_group(outcome.case.memory) as group:
            measured = measure(group.command(command), env, self.scratch)
            if ours:
                outcome.group_peak = max(outcome.group_peak, group.peak)
            return measured

    @contextmanager
    def _target(self, case: Case) -> Iterator[Path]:
        out = self.scratch / "out.img"
        try:
            if case.target == "file":
                yield out
            else:
                with _device(out, (self.images / case.disk).stat().st_size) as device:
                    yield device
        finally:
            for path in self.scratch.glob("out.img*"):
                path.unlink()
            (self.scratch / "tmp").unlink(missing_ok=True)

    def _import(self, case: Case, address: Address, out: Path) -> list[str]:
        connections = ["--connections", str(case.connections)] if case.connections else []
        command = [sys.executable, "-m", "cdi.cli.main", "import", address.url, str(out), "--json"]
        return [*command, *connections, *address.options]

    def _script(self, side: Rival, address: Address, out: Path) -> list[str]:
        names = {"curl": address.curl, "url": address.url, "out": shlex.quote(str(out)), "tmp": "tmp"}
        return ["bash", "-e", "-o", "pipefail", "-c", side.script.format(**names)]


def _touch(image: Path) -> None:
    """Warm for each side alike: a machine that reclaims idle memory takes pages back between two commands, and the
    first one that reads them again would pay for that (0.3 s of system time for 1 GiB, seen on a virtual machine)."""
    with image.open("rb", buffering=0) as file:
        while file.read(MiB):
            pass


@contextmanager
def _device(backing: Path, size: int) -> Iterator[Path]:
    """A loop device on a fresh sparse file, past the page cache of the file below it."""
    with backing.open("wb") as file:
        file.truncate(size)
    command = ["losetup", "--find", "--show", "--direct-io=on", str(backing)]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield Path(device)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def _same(made: Path, disk: Path) -> None:
    """The target has the disk's bytes. A thread that dies silently would be a fast wrong result."""
    if made.is_file():
        assert made.stat().st_size == disk.stat().st_size, f"{made.stat().st_size} bytes of {disk.stat().st_size}"
    done = subprocess.run(["cmp", made, disk], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
