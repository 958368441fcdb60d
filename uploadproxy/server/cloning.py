"""What the source of a clone asks, and is answered: see ``cdi.base.wire.cloning``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cdi.base.faults import Fault
from cdi.base.wire.cloning import BEGIN, EXTENTS, REQUEST_MOST, Begin, decode_begin, session_in
from cdi.base.wire.members import Members
from uploadproxy.server.answer import DONE, NOT_FOUND, Answer, failed
from uploadproxy.server.clone import Clones, Refused


class CloneAsked(NamedTuple):
    """``readinto``: of the body. ``interrupt``: it, from another thread."""

    path: str
    readinto: Callable[[memoryview], int]
    interrupt: Callable[[], None]


@contextmanager
def answer_to_clone(clones: Clones, asked: CloneAsked) -> Iterator[Answer]:
    """The answer, to be sent inside: after a success the server ends when this is left. Blocking. Raises OSError when
    the client has gone."""
    with contextlib.ExitStack() as afterwards:
        try:
            answer = _answered(clones, asked, afterwards)
        except Refused as refused:
            answer = refused.answer
        except Fault as fault:
            answer = failed(fault)
        yield answer


def _answered(clones: Clones, asked: CloneAsked, afterwards: contextlib.ExitStack) -> Answer:
    if asked.path == BEGIN:
        return Answer(200, clones.begin(_begin(asked)).encode())
    found = session_in(asked.path)
    if found is None:
        return NOT_FOUND
    session, verb = clones.find(found[0]), found[1]
    if verb == EXTENTS:
        session.take(asked.readinto, asked.interrupt)
        return DONE
    session.finish(_count(asked))
    afterwards.callback(session.stop)
    return DONE


def _begin(asked: CloneAsked) -> Begin:
    try:
        return decode_begin(_small(asked))
    except ValueError as error:
        raise Fault("UploadMalformed", cause=str(error)) from error


def _count(asked: CloneAsked) -> int:
    try:
        return Members(_small(asked), REQUEST_MOST).count("count") or 0
    except ValueError as error:
        raise Fault("UploadMalformed", cause=str(error)) from error


def _small(asked: CloneAsked) -> bytes:
    """All of a body. Raises ValueError for a longer one."""
    buffer, filled = memoryview(bytearray(REQUEST_MOST + 1)), 0
    while count := asked.readinto(buffer[filled:]):
        filled += count
        if filled == len(buffer):
            raise ValueError(f"longer than {REQUEST_MOST} bytes")
    return bytes(buffer[:filled])
