"""Making the volumes of some manifests: the loop that observes, decides and acts until nothing is left to do."""

from __future__ import annotations

import datetime
import random
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.base.wire.progress import ProgressLine
from cdi.base.wire.termination import decode_termination
from cdi.contract.failures import failure_code, is_checksum_mismatch
from cdi.controllers.datavolume.plan import Hold
from cdi.local.decide import Action, CloneSource, Observed, Readiness, claim_of, decide
from cdi.local.manifests import Manifests
from cdi.local.status import Sighting, WorkerState, status_of
from cdi.local.store import LOG, Attempt, Record, Store
from cdi.local.worker import Worker, start_clone, start_import
from importer.sinks.refusal import refusals

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
    failures: int = 0  # in this run, one after the other
    message: str = ""
    hold: Hold | None = None
    not_before: float = 0.0  # monotonic time of the next attempt
    next_attempt: str = ""
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
                decide(self._observe(task))  # everything that cannot work is refused before anything is started
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
        return Task(Record(volume, history=earlier.history, attempts=earlier.attempts))

    def _observe(self, task: Task) -> Observed:
        earlier = self.store.load(*task.key)
        return Observed(
            task.volume,
            earlier.volume if earlier else None,
            self.store.disk(task.volume).exists(),
            self.store.worker_lives(*task.key),
            self._clone_source(task),
            self.manifests.profile,
        )

    def _clone_source(self, task: Task) -> CloneSource | None:
        source = task.volume.spec.source
        if source is None or source.pvc is None:
            return None
        key = (source.pvc.namespace, source.pvc.name)
        here = next((other for other in self.tasks if other.key == key), None)
        if here is None:
            record = self.store.load(*key)
            ready = record is not None and self.store.disk(record.volume).exists()
            return CloneSource(Readiness.READY if ready else Readiness.ABSENT, record.volume if record else None)
        if not here.finished:
            return CloneSource(Readiness.COMING, here.volume)
        return CloneSource(Readiness.READY if here.exit is Exit.OK else Readiness.ABSENT, here.volume)

    def _tick(self) -> None:
        for task in self.tasks:
            if task.worker is not None:
                self._follow(task, task.worker)
            elif not task.finished and time.monotonic() >= task.not_before and self._running() < self.jobs:
                self._advance(task)

    def _running(self) -> int:
        return sum(task.worker is not None for task in self.tasks)

    def _advance(self, task: Task) -> None:
        task.hold = None
        try:
            action = decide(self._observe(task))
            if action is not Action.NOTHING and task.volume.status.phase == Phase.SUCCEEDED:
                task.volume.status.phase = Phase.PENDING  # the disk is gone: that was another one
            match action:
                case Action.NOTHING:
                    self._leave_alone(task)
                case Action.START:
                    self._start(task)
                case Action.AWAIT_SOURCE:
                    task.note = "waits for its source"
                case Action.AWAIT_WORKER:
                    task.note = "waits for the worker of a run that was killed"
                case Action.NO_SOURCE:
                    self._refuse_clone(task)
        except Fault as fault:
            self._failed(task, fault.message)

    def _leave_alone(self, task: Task) -> None:
        task.note = "already populated"
        task.state, task.finished = WorkerState.SUCCEEDED, True
        if task.volume.status.phase != Phase.SUCCEEDED:  # the run that made it was killed before it could say so
            self._succeeded(task)

    def _refuse_clone(self, task: Task) -> None:
        source = task.volume.spec.source
        assert source is not None
        assert source.pvc is not None
        contract = f"The source pvc {source.pvc.name} doesn't exist"
        fault = Fault("CloneSourceMissing", contract=contract, source=f"{source.pvc.namespace}/{source.pvc.name}")
        task.hold = Hold("CloneWithoutSource", fault.message, task.volume.status.phase, fault=fault)
        here = any(other.key == (source.pvc.namespace, source.pvc.name) for other in self.tasks)
        self._failed(task, fault.message, final=here)  # what failed in this run comes with no later attempt

    def _start(self, task: Task) -> None:
        self.store.save_manifest(task.volume)
        task.record.attempts += 1
        task.note = ""
        task.record.progress = ProgressLine()
        task.record.history = [*task.record.history, Attempt(start=now())][-_HISTORY:]
        target = self.store.disk(task.volume)
        size = claim_of(task.volume, self.manifests.profile).size
        source = task.volume.spec.source
        if task.volume.spec.is_archive:
            with refusals(str(target)):
                target.mkdir(exist_ok=True)
        # Before the start: a run that is killed right after it must find its own traces.
        task.state = WorkerState.RUNNING
        self._save(task)
        if source is not None and source.pvc is not None:
            origin = self.store.place(source.pvc.namespace, source.pvc.name) / target.name
            task.worker = start_clone(task.volume, origin, target, size)
        else:
            task.worker = start_import(task.volume, self.manifests, target, size)

    def _follow(self, task: Task, worker: Worker) -> None:
        status = worker.poll()
        if status is None:
            stage = worker.progress.stage
            changed = stage != task.record.progress.stage
            task.record.progress = worker.progress
            if changed or time.monotonic() - task.saved_at >= _SAVE_S:
                self._save(task)
            return
        message = worker.message()
        worker.close()
        task.worker = None
        task.record.progress = worker.progress
        if status == 0 and message and not is_checksum_mismatch(message):
            task.record.origin = dict(decode_termination(message).source)
            self._succeeded(task)
        else:
            died = Fault("WorkerDied", status=status, log=self.store.place(*task.key) / LOG)
            self._failed(task, message or died.message)

    def _succeeded(self, task: Task) -> None:
        task.state, task.finished, task.message, task.exit = WorkerState.SUCCEEDED, True, "", Exit.OK
        self._end_attempt(task, "Succeeded")
        self._save(task)

    def _failed(self, task: Task, message: str, *, final: bool = False) -> None:
        task.state, task.message = WorkerState.FAILED, message
        task.failures += 1
        code = "ChecksumMismatch" if is_checksum_mismatch(message) else failure_code(message)
        entry = CATALOGUE.get(code)
        task.finished = final or not self.wait or (entry is not None and entry.permanent)
        task.exit = entry.exit if entry else Exit.TRANSIENT
        task.next_attempt = ""
        if not task.finished:
            delay = min(_LONGEST_S, 2.0 ** min(task.failures - 1, 10)) * random.uniform(0.75, 1.0)
            task.not_before = time.monotonic() + delay
            task.next_attempt = now(after_s=delay)
            task.note = f"tried again in {delay:.0f} s: {message}"
        self._end_attempt(task, code)
        self._save(task)

    def _end_attempt(self, task: Task, outcome: str) -> None:
        if task.record.history and not task.record.history[-1].end:
            last = task.record.history[-1]
            last.end, last.outcome = now(), outcome
            last.bytes_done = task.record.progress.bytes_done

    def _save(self, task: Task) -> None:
        task.saved_at = time.monotonic()
        seen = Sighting(
            state=task.state,
            message=task.message,
            percent=task.record.progress.percent,
            attempts=task.record.attempts,
            next_attempt=task.next_attempt,
            hold=task.hold,
        )
        task.volume.status = status_of(task.volume, seen, now())
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
                with suppress(Fault):  # a full disk: the others are to be stopped nevertheless
                    self._save(task)


def now(after_s: float = 0.0) -> str:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=after_s)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
