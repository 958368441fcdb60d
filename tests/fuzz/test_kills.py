"""``kill -9`` at any moment, of an import of anything to anywhere: those who go on end in the same disk.

30 kills of the command and 12 of a pod's worker in every run; FUZZ_KILLS=n makes n of each. What is served, the delay
of each answer, the target and the moments are drawn: a failure names its seed, and FUZZ_SEED=n draws the same again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Protocol

import pytest
from support.faultserver import FaultServer, Route
from support.fuzzing import seed
from support.importing import start
from support.killing import KINDS, Case, draw_case, wrong_bytes
from support.loopdev import loop_device
from support.podroot import give_to_pods, start_in_pod

KiB = 1024
MiB = 1024 * KiB
COMMAND_PARTS, POD_PARTS = 10, 4  # of the tests: they run beside each other
KILLED = -9
LONGEST_S = 120  # of one import
TIMEOUT_S = 0 if "FUZZ_KILLS" in os.environ else 600


class Importer(Protocol):
    """The same import, begun again and again."""

    target: Path

    def start(self) -> subprocess.Popen[str]: ...

    def heard(self, said: str) -> None:
        """``said``: the standard output of the process that was started last, up to its end."""


@dataclass
class Command:
    case: Case
    url: str
    target: Path
    room: Path
    chance: random.Random

    def start(self) -> subprocess.Popen[str]:
        command = ["import", self.url, self.target, "--connections", self.chance.randrange(1, 9)]
        command += ["--state", self.room / "state"] if self.target.is_block_device() else []
        command += ["--checksum", self.case.sha256] if self.case.checksum else []
        return start(*command, env={"TMPDIR": str(self.room)})

    def heard(self, said: str) -> None: ...


@dataclass
class Pod:
    """Half of the starts are another container of the pod, the others another pod with what the controller has read."""

    case: Case
    url: str
    target: Path
    room: Path
    chance: random.Random
    pods: int = 0
    records: list[str] = field(default_factory=list)

    def start(self) -> subprocess.Popen[str]:
        self.pods += not self.pods or self.chance.random() < 0.5
        own, scratch = self.room / f"pod-{self.pods}", self.room / "scratch"
        for directory in (own, scratch):
            directory.mkdir(exist_ok=True)
        scratch.chmod(0o777)
        variables = {"IMPORTER_ENDPOINT": self.url, "IMPORTER_IMAGE_SIZE": str(_room_for(self.case))}
        variables |= {"IMPORTER_CHECKSUM": self.case.sha256} if self.case.checksum else {}
        variables |= {"IMPORTER_DURABLE": self.records[-1]} if self.records else {}
        place = {"device" if self.target.is_block_device() else "data": self._volume, "scratch": scratch}
        return start_in_pod(own, variables, program="tests.support.eagerworker", **place)

    @property
    def _volume(self) -> Path:
        return self.target if self.target.is_block_device() else self.target.parent

    def heard(self, said: str) -> None:
        """Lines that came late, or not at all, are not seen by the controller."""
        whole = said[: said.rfind("\n") + 1].splitlines()
        seen = whole[: self.chance.randrange(len(whole) + 1)] if whole and self.chance.random() < 0.3 else whole
        self.records += [line["record"] for line in map(json.loads, seen) if line.get("record")]


Kind = Callable[[Case, str, Path, Path, random.Random], Importer]


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("part", range(COMMAND_PARTS))
def test_the_command_goes_on_after_each_kill(part: int, tmp_path: Path) -> None:
    _kill_often(Command, _share(30, part, COMMAND_PARTS), random.Random(seed() + part), tmp_path)


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("part", range(POD_PARTS))
def test_a_pod_goes_on_after_each_kill_of_its_worker(part: int, tmp_path: Path) -> None:
    _kill_often(Pod, _share(12, part, POD_PARTS), random.Random(seed() + part), tmp_path)


def _share(default: int, part: int, parts: int) -> int:
    kills = int(os.environ.get("FUZZ_KILLS", default))
    return kills // parts + (part < kills % parts)


def _kill_often(importer: Kind, kills: int, chance: random.Random, directory: Path) -> None:
    done = imports = 0
    for kind in cycle(chance.sample(KINDS, len(KINDS))):
        room = directory / str(imports)
        room.mkdir()
        case = draw_case(kind, chance, room)
        with _target(case, room, chance) as target, FaultServer() as server:
            url = server.add("/disk", _route(case, chance))
            done += _import_and_kill(importer(case, url, target, room, chance), server, min(kills - done, 2))
        shutil.rmtree(room)
        imports += 1
        if done >= kills:
            break
    print(f"{done} kills of {imports} imports")


@contextlib.contextmanager
def _target(case: Case, room: Path, chance: random.Random) -> Iterator[Path]:
    onto = chance.choice(["file", "file", "device 512", "device 4096"])
    print(f"{case} onto a {onto}")
    if onto == "file":
        (room / "out").mkdir()
        yield give_to_pods(room / "out") / "disk.img"
        return
    with loop_device(room, _room_for(case), int(onto.split()[1]), dirty=True) as device:
        yield device


def _room_for(case: Case) -> int:
    return (len(case.disk) + MiB) // MiB * MiB


def _route(case: Case, chance: random.Random) -> Route:
    """Paced, so that there is a middle; answers come in any order."""
    longest_s = chance.choice([0.0, 0.05, 0.3])
    delays = random.Random(chance.random())
    pace = chance.choice([(64 * KiB, 0.002), (256 * KiB, 0.01), (MiB, 0.0)])
    return Route(body=case.file, ranges=case.ranges, trickle=pace, delay_s=lambda: delays.uniform(0, longest_s))


def _import_and_kill(importer: Importer, server: FaultServer, most: int) -> int:
    """Kills at most so often, then waits for the end; how often it killed."""
    chance, case = importer.chance, importer.case
    kills = 0
    for _ in range(chance.randrange(1, most + 1)):
        process = importer.start()
        # Up to the end of the transfer, and often into what comes behind it.
        place = server.bytes_sent + int(min(1.0, chance.uniform(0, 1.2)) * len(case.file))
        server.sent_or(place, lambda process=process: process.poll() is not None)
        time.sleep(chance.choice([0, chance.uniform(0, 0.02), chance.uniform(0, 0.3)]))
        process.kill()
        said, complaint = process.communicate(timeout=LONGEST_S)
        importer.heard(said)
        assert process.returncode in (KILLED, 0), complaint
        kills += process.returncode == KILLED
        if process.returncode == 0 or importer.target.is_file():  # the kill came behind publication
            assert not (wrong := wrong_bytes(importer.target, case.disk)), wrong
            if not isinstance(importer, Pod):
                return kills
    process = importer.start()
    _said, complaint = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 0, complaint
    assert not (wrong := wrong_bytes(importer.target, case.disk)), f"{wrong}\n{complaint}"
    return kills
