"""Entry point of the upload server pod.

Environment, endpoints, texts and termination message are the contract of the Go CDI's upload server. For use without
a cluster ``CDI_TARGET`` names the disk file, or the directory that archives are unpacked into.
"""

from __future__ import annotations

import datetime
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.verbosity import level_of, log_to_stderr, verbosity_in
from cdi.base.wire.termination import Termination
from cdi.base.wire.upload import DEADLINE_PASSED, UploadEnvironment, decode_upload
from importer import worker
from importer.cancel import Cancel
from importer.progress import Progress
from importer.target import BLOCK_DEVICE, Target
from importer.verdict import NO_VERDICT
from uploadproxy.server.attempt import Volume
from uploadproxy.server.channel import Channel
from uploadproxy.server.clone import Clones
from uploadproxy.server.connection import Connection, Service
from uploadproxy.server.listener import Listener
from uploadproxy.server.session import Place
from uploadproxy.server.sessions import Sessions
from uploadproxy.server.slot import Slot
from uploadproxy.server.tls import context_of

_DAY_S = 24 * 3600.0  # sessions of a server without a deadline

log = logging.getLogger("uploadserver")


@dataclass(frozen=True, slots=True)
class Uploading:
    """The work that ``environ`` asks for. What cannot be is told when it is asked for, as a Fault."""

    environ: Mapping[str, str]

    def work(
        self, progress: Progress, cancel: Cancel, listening: Callable[[int], None] = lambda _port: None
    ) -> Termination:
        """Serves until an upload has ended well, or the deadline has passed without one. Blocking. ``listening`` is
        told the port from when on clients can connect."""
        told = decode_upload(self.environ)
        volume = Volume(lambda archive: self.target(told, archive=archive), told.preallocation)
        volume.target(False)
        slot = Slot()
        cancel.on_request(slot.stop)
        sessions = Sessions(_place(told, volume, slot, progress), told.claim)
        clones = Clones(volume, slot, progress)
        service = Service(slot, volume, progress, sessions, clones, told.client_name, told.client_uri)
        with _listening(told, service) as listener:
            log.info("listening on %s port %d", told.address, listener.port)
            listening(listener.port)
            import importer.transfer  # noqa: F401  while nobody waits for it yet

            outcome = slot.wait(_seconds_to(told.deadline))
        if not isinstance(outcome, Termination):
            cancel.check(0)  # a stop that came after the success has been told changes nothing
        if isinstance(outcome, Fault):
            raise outcome
        if outcome is None:
            log.info("nothing was uploaded before %s", told.deadline)
            return Termination(DEADLINE_PASSED, deadline_passed=True)
        return outcome

    def target(self, told: UploadEnvironment, *, archive: bool) -> Target:
        """As it is now. What one client sent is no verdict on what the next one sends."""
        if path := self.environ.get("CDI_TARGET", ""):
            return Target.at_path(
                Path(path), size=told.size, preallocation=told.preallocation, overwrite=True, archive=archive
            )
        if told.block and not BLOCK_DEVICE.exists():
            raise Fault("TargetMissing", target=BLOCK_DEVICE, cause="the pod has no such device")
        target = Target.in_volume(told.size, told.share, preallocation=told.preallocation, archive=archive)
        return replace(target, verdict=NO_VERDICT)


def _place(told: UploadEnvironment, volume: Volume, slot: Slot, progress: Progress) -> Place:
    left_s = _seconds_to(told.deadline)
    archive = told.claim is not None and told.claim.archive
    return Place(volume, slot, progress, archive, time.time() + (_DAY_S if left_s is None else left_s))


def _listening(told: UploadEnvironment, service: Service) -> Listener:
    def attend(channel: Channel) -> None:
        Connection(channel, service).attend()

    try:
        return Listener((told.address, told.port), context_of(told), attend)
    except OSError as error:
        where = f"{told.address}:{told.port}"
        raise Fault("ManifestInvalid", where="LISTEN_ADDRESS, LISTEN_PORT", detail=f"{where}: {error}") from error


def _seconds_to(deadline: datetime.datetime | None) -> float | None:
    if deadline is None:
        return None
    return max(0.0, (deadline - datetime.datetime.now(datetime.UTC)).total_seconds())


def main() -> int:
    log_to_stderr(level_of(verbosity_in(sys.argv[1:])), "%(asctime)s %(levelname)s %(message)s")
    return worker.run(worker.Worker(Uploading(os.environ).work, lambda _progress, _fault: _PREFIX), os.environ)


_PREFIX = "Saving stream failed: "


if __name__ == "__main__":
    sys.exit(main())
