"""What becomes of a session's bytes: a receiver takes them, request by request, and makes the disk of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cdi.base.faults import Fault

ReadInto = Callable[[memoryview], int]


class Cut(Exception):
    """The client, or what is between it and here, ended a request before its body's end; ``__cause__`` says how. What
    came counts as far as ``Receiver.offset`` says."""


class Receiver(Protocol):
    """One thread at a time, but for ``stop``. Faults are final: what was written is worth nothing then."""

    @property
    def offset(self) -> int:
        """Bytes of the upload that need not be sent again."""
        ...

    def take(self, readinto: ReadInto) -> None:
        """The body of one request, to its end. Raises Cut, Fault."""
        ...

    def finish(self) -> tuple[str, ...]:
        """All has come: the disk is published; what people should know. Blocking. Raises Fault."""
        ...

    def stop(self) -> None:
        """What blocks in this object ends soon."""
        ...

    def close(self) -> None:
        """What may go on in another process stays. Never raises."""
        ...

    def destroy(self) -> None:
        """Nothing stays. Never raises."""
        ...


def client_side(readinto: ReadInto) -> ReadInto:
    """What goes wrong there is a Cut."""

    def wrapped(buffer: memoryview) -> int:
        try:
            return readinto(buffer)
        except (OSError, Fault) as error:
            raise Cut from error

    return wrapped
