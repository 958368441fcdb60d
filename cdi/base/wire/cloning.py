"""What a clone's source says to the upload server, and is answered: HTTP over mutual TLS, ours.

    POST /clone/v1/begin               JSON: size, version  ->  JSON: session, kept: [[start, end], ...]
    POST /clone/v1/SESSION/extents     a stream of extents  ->  200 when the kernel has them all; several side by side
    POST /clone/v1/SESSION/finish      JSON: count          ->  200 when the disk is published
    POST /clone/v1/tree                a tar                ->  200 when all of it is in the claim's directory

A session ends with its success, when another one begins, or after a minute without a request; then 410 is answered, and
the source begins anew: what was written is ``kept``. ``count``: bytes of data that were acknowledged to this session.
Refusals have the status and a sentence: 503 is worth another attempt, as a lost connection is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from cdi.base.wire.members import Members

PREFIX = "/clone/v1/"
BEGIN, TREE = PREFIX + "begin", PREFIX + "tree"
EXTENTS, FINISH = "extents", "finish"
ENDED = 410
IDLE_S = 60.0
REQUEST_MOST = 4096  # bytes of a JSON request
ANSWER_MOST = 1 << 20
KEPT_MOST = 1 << 12  # ranges; of a more scattered disk the largest are told, and the rest comes again
_SESSION = re.compile(r"[0-9a-f]{32}")
_VERSION = 200


@dataclass(frozen=True, slots=True)
class Begin:
    """``size``: bytes of disk. ``version``: another one for other bytes."""

    size: int
    version: str

    def encode(self) -> bytes:
        return json.dumps({"size": self.size, "version": self.version}).encode()


def decode_begin(data: bytes) -> Begin:
    """Raises ValueError."""
    said = Members(data, REQUEST_MOST)
    found = Begin(said.count("size") or 0, said.text("version", _VERSION))
    if not found.size or not found.version or not found.version.isprintable() or '"' in found.version:
        raise ValueError("size and version are needed")
    return found


@dataclass(frozen=True, slots=True)
class Begun:
    """``kept``: (start, end) of what need not be sent, in order."""

    session: str
    kept: tuple[tuple[int, int], ...] = ()

    def encode(self) -> str:
        return json.dumps({"session": self.session, "kept": self.kept}, separators=(",", ":"))


def decode_begun(data: bytes) -> Begun:
    """Raises ValueError."""
    if len(data) > ANSWER_MOST:
        raise ValueError(f"longer than {ANSWER_MOST} bytes")
    found = json.loads(data)
    try:
        session, kept = found["session"], tuple((start, end) for start, end in found["kept"])
    except (TypeError, KeyError) as error:
        raise ValueError("no session") from error
    numbers = [number for pair in kept for number in pair]
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        raise ValueError("no session")
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or numbers != sorted(numbers):
        raise ValueError("no ranges")
    return Begun(session, kept)


def path_of(session: str, verb: str) -> str:
    return f"{PREFIX}{session}/{verb}"


def session_in(path: str) -> tuple[str, str] | None:
    """(session, verb) of a path; None of one that is none."""
    session, _, verb = path.removeprefix(PREFIX).partition("/")
    if path.startswith(PREFIX) and _SESSION.fullmatch(session) and verb in (EXTENTS, FINISH):
        return session, verb
    return None
