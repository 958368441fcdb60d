"""Making the volumes of some manifests: the loop that observes, decides and acts until nothing is left to do."""

from __future__ import annotations

import datetime
import random
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from cdi.api.datavolume import DataVolume
from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.controllers.datavolume.status import (
    Observation,
    WorkerState,
    failure_code,
    is_checksum_mismatch,
    status_of,
)
from cdi.local.decide import Action, Observed, claim_of, decide
from cdi.local.manifests import Manifests
from cdi.local.store import Attempt, Record, Store
from cdi.local.worker import Worker, start_clone, start_import

_TICK_S = 0.1
_SAVE_S = 2.0  # status is written on every change of stage, else at most this often
_HISTORY = 5
_LONGEST_S = 30.0


@dataclass
class Task:
    """One volume in this run."""

    record: Record
    state: WorkerState = WorkerState.ABSENT
    worker: Worker | None = None
    attempts: int = 0
    message: str = ""
    not_before: float = 0.0  # monotonic time of the next attempt
    finished: bool = False
    exit: Exit = Exit.OK
    note: str = ""
    saved_at: float = 0.0
    shown: object = None

    @property
    def volume(self) -> DataVolume:
        return self.record.volume

    @property
    def key(self) -> tuple[str, str]:
        return self.volume.metadata.namespace, self.volume.metadata.name


@dataclass
class Run:
    """``wait``: transient faults are tried again until they pass. ``show`` is called after every tick."""

    store: Store
    manifests: Manifests
    wait: bool = False
    jobs: int = 2
    show: Callable[[list[Task]], None] = lambda _tasks: None
    sleep: Callable[[float], None] = time.sleep
    tasks: list[Task] = field(default_factory=list)

    def run(self) -> Exit:
        """Blocking; the exit code of the first volume that failed. Raises Fault before anything was started."""
        with ExitStack() as held:
            for volume in self.manifests.volumes:
                held.enter_context(self.store.lock(volume.metadata.namespace, volume.metadata.name))
                self.tasks.append(self._task(volume))
            for task in self.tasks:
                self._decide(task)  # everything that cannot work is refused before anything is started
            try:
                while not all(task.finished for task in self.tasks):
                    self._tick()
                    self.show(self.tasks)
                    self.sleep(_TICK_S)
            finally:
                self._stop()
            self.show(self.tasks)
        return next((task.exit for task in self.tasks if task.exit is not Exit.OK), Exit.OK)

    def _task(self, volume: DataVolume) -> Task:
        earlier = self.store.load(volume.metadata.namespace, volume.metadata.name)
        if earlier is None:
            volume.metadata.uid = str(uuid.uuid4())
            volume.metadata.creation_timestamp = now()
            return Task(Record(volume))
        volume.metadata.uid = earlier.volume.metadata.uid
        volume.metadata.creation_timestamp = earlier.volume.metadata.creation_timestamp
        volume.status = earlier.volume.status
        return Task(Record(volume, history=earlier.history))

    def _decide(self, task: Task) -> Action:
        earlier = self.store.load(*task.key)
        disk = self.store.disk(task.volume)
        seen = Observed(task.volume, earlier.volume if earlier else None, disk.exists(), self._source_ready(task))
        return decide(seen)

    def _source_ready(self, task: Task) -> bool | None:
        source = task.volume.spec.source
        if source is None or source.pvc is None:
            return True
        key = (source.pvc.namespace, source.pvc.name)
        here = next((other for other in self.tasks if other.key == key), None)
        if here is not None:
            failed = here.finished and here.exit is not Exit.OK
            return None if failed else here.finished
        record = self.store.load(*key)
        return True if record is not None and record.volume.status.phase == "Succeeded" else None

    def _tick(self) -> None:
        for task in self.tasks:
            if task.worker is not None:
                self._follow(task, task.worker)
            elif not task.finished and time.monotonic() >= task.not_before and self._running() < self.jobs:
                self._advance(task)

    def _running(self) -> int:
        return sum(task.worker is not None for task in self.tasks)

    def _advance(self, task: Task) -> None:
        try:
            match self._decide(task):
                case Action.NOTHING:
                    task.note = "already populated"
                    task.state, task.finished = WorkerState.SUCCEEDED, True
                case Action.START:
                    self._start(task)
                case Action.AWAIT_SOURCE:
                    task.note = "waits for its source"
        except Fault as fault:
            self._failed(task, fault.message)

    def _start(self, task: Task) -> None:
        self.store.save_manifest(task.volume)
        task.attempts += 1
        task.note = ""
        task.record.history = [*task.record.history, Attempt(start=now())][-_HISTORY:]
        target = self.store.disk(task.volume)
        size = claim_of(task.volume).size
        source = task.volume.spec.source
        if task.volume.spec.is_archive:
            target.mkdir(exist_ok=True)
        if source is not None and source.pvc is not None:
            origin = self.store.place(source.pvc.namespace, source.pvc.name) / target.name
            task.worker = start_clone(origin, target, size)
        else:
            task.worker = start_import(task.volume, self.manifests, target, size)
        task.state = WorkerState.RUNNING
        self._save(task)

    def _follow(self, task: Task, worker: Worker) -> None:
        status = worker.poll()
        if status is None:
            stage = worker.progress.get("stage")
            changed = stage != task.record.progress.get("stage")
            task.record.progress = worker.progress
            if changed or time.monotonic() - task.saved_at >= _SAVE_S:
                self._save(task)
            return
        message = worker.message()
        worker.close()
        task.worker = None
        task.record.progress = worker.progress
        if status == 0 and not is_checksum_mismatch(message):
            task.state, task.finished, task.message = WorkerState.SUCCEEDED, True, ""
            self._end_attempt(task, "Succeeded")
            self._save(task)
        else:
            died = Fault("WorkerDied", status=status, log=self.store.place(*task.key) / "worker.log")
            self._failed(task, message or died.message)

    def _failed(self, task: Task, message: str) -> None:
        task.state, task.message = WorkerState.FAILED, message
        entry = CATALOGUE.get(failure_code(message))
        retry = self.wait and (entry is None or not entry.permanent)
        task.exit = entry.exit if entry else Exit.TRANSIENT
        self._end_attempt(task, failure_code(message))
        if retry:
            delay = min(_LONGEST_S, 2.0 ** min(task.attempts - 1, 10)) * random.uniform(0.75, 1.0)
            task.not_before = time.monotonic() + delay
            task.note = f"tried again in {delay:.0f} s"
        task.finished = not retry
        self._save(task)

    def _end_attempt(self, task: Task, outcome: str) -> None:
        if task.exit is not Exit.OK and task.state is WorkerState.SUCCEEDED:
            task.exit = Exit.OK  # an earlier attempt had failed
        if task.record.history and not task.record.history[-1].end:
            last = task.record.history[-1]
            last.end, last.outcome = now(), outcome
            last.bytes_done = int(task.record.progress.get("bytesDone", 0))

    def _save(self, task: Task) -> None:
        task.saved_at = time.monotonic()
        source = task.volume.spec.source
        percent = task.record.progress.get("percent")
        seen = Observation(
            claim=task.volume.metadata.name,
            state=task.state,
            prefix="Clone" if source is not None and source.pvc is not None else "Import",
            message=task.message,
            percent=percent,
            restarts=max(0, task.attempts - 1),
            attempts=task.attempts,
        )
        task.volume.status = status_of(seen, task.volume.status, now())
        self.store.save(task.record)

    def _stop(self) -> None:
        """Leave no worker behind, also on Ctrl-C: each keeps what it wrote."""
        for task in self.tasks:
            if task.worker is not None:
                task.worker.stop()
        for task in self.tasks:
            if task.worker is not None:
                task.worker.close()
                task.worker = None
                task.state = WorkerState.ABSENT
                self._end_attempt(task, "Cancelled")
                self._save(task)


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
