"""The sessions of one server: few, each known by the hash of an id that nobody can guess."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import threading
import time
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.wire.upload import Claim
from uploadproxy.server.answer import Answer
from uploadproxy.server.routes import SESSIONS
from uploadproxy.server.session import Place, Refused, Session
from uploadproxy.server.slot import QUIET_S

MOST = 4
IDLE_S = 3600.0
_ID_BYTES, _LONGEST_ID = 32, 64  # random bytes, characters


class Sessions:
    """``claim``: of whom, None: there are none."""

    def __init__(self, place: Place, claim: Claim | None) -> None:
        self.claim = claim
        self._place = place
        self._lock = threading.Lock()  # guards _open
        self._open: dict[str, Session] = {}
        if claim is not None and not place.archive and os.path.lexists(path := place.target().session_path()):
            self._restore(path)

    def _restore(self, path: Path) -> None:
        from uploadproxy.server.record import Record  # which costs a MiB

        record = Record(path)
        left = record.read()
        if left is None or left.kind == "other":
            with contextlib.suppress(Fault):
                record.forget()
        if left is not None:
            self._open[left.hashed] = Session.restored(self._place, left)

    def create(self, length: int | None, *, sparse: bool) -> str:
        """The path of the new one. Raises Refused."""
        id = secrets.token_urlsafe(_ID_BYTES)
        session = Session(self._place, _hash(id), length, sparse=sparse)
        with self._lock:
            spare = self._spare()
            self._open[session.hashed] = session
        if spare is not None:
            _end(spare)
        assert self.claim is not None
        return f"{SESSIONS}/{self.claim.namespace}/{self.claim.name}/{self.claim.uid}/{id}"

    def _spare(self) -> Session | None:
        """The one that has to go for another one. Raises Refused."""
        now = time.monotonic()
        for hashed in [hashed for hashed, each in self._open.items() if each.is_over]:
            del self._open[hashed]
        if len(self._open) < MOST:
            return None
        idle = [each for each in self._open.values() if not each.is_running and now - each.used_s >= QUIET_S]
        if not idle:
            fault = Fault("UploadSessionsFull", count=len(self._open), seconds=f"{QUIET_S:.0f}")
            raise Refused(Answer(503, fault.message))
        found = min(idle, key=lambda each: each.used_s)
        del self._open[found.hashed]
        return found

    def find(self, id: str) -> Session | None:
        """None of one that has ended, or never was. In a time that tells nothing of what ids there are."""
        hashed, found = _hash(id[:_LONGEST_ID]), None
        with self._lock:
            for known, session in self._open.items():
                if hmac.compare_digest(known, hashed) and not session.is_over:
                    found = session
        if found is None:
            return None
        if time.time() > self._place.ends or (not found.is_running and time.monotonic() - found.used_s > IDLE_S):
            self.end(found)
            return None
        return found

    def end(self, session: Session) -> None:
        """Nothing of it stays. Blocking."""
        with self._lock:
            self._open.pop(session.hashed, None)
        _end(session)


def _end(session: Session) -> None:
    with session.turn():
        session.end()


def _hash(id: str) -> str:
    return hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()
