"""What is remembered of an upload that was interrupted: for the same command, when it is run again.

``$XDG_STATE_HOME/cdi/uploads/<uid of the claim>.json``, for the owner's eyes: who knows the URL of a session may send
to it. Nothing depends on it: what cannot be read or written means that the upload begins anew.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

_LONGEST = 16 << 10  # bytes
_UID = re.compile(r"[0-9A-Za-z-]{1,64}")


class Session(Struct, frozen=True, rename="camel"):
    """``url``: its path. ``way``: to which server. ``etag``, ``media_type``, ``length``: of what is sent."""

    url: str
    way: str
    etag: str
    media_type: str
    length: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one claim. No method raises."""

    directory: Path
    uid: str

    @classmethod
    def of(cls, uid: str) -> Kept:
        home = os.environ.get("XDG_STATE_HOME", "")
        # The specification wants an absolute path, and any other one ignored.
        base = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
        return cls(base / "cdi" / "uploads", uid)

    @property
    def _path(self) -> Path | None:
        return self.directory / f"{self.uid}.json" if _UID.fullmatch(self.uid) else None

    def load(self) -> Session | None:
        if self._path is None:
            return None
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    return msgspec.json.decode(file.read(_LONGEST), type=Session)
        return None

    def save(self, session: Session) -> bool:
        """Whether it is kept."""
        if self._path is None:
            return False
        fresh = self._path.with_suffix(".new")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)
                file.write(msgspec.json.encode(session))
            fresh.rename(self._path)
        except OSError:
            return False
        return True

    def forget(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
