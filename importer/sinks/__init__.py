"""Sinks: a raw disk being written, sparse, and published only when it is whole and verified."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """A disk of ``size`` bytes under construction. ``write`` and ``zero`` may run in threads on disjoint ranges.

    Faults raised: NoSpace, TargetDenied, TargetReadOnly, TargetMissing, TargetBusy, TargetFailed.
    """

    name: str
    size: int  # bytes of disk
    block: int  # bytes of a logical block of what is below: a disk that ends inside one cannot be read to its end
    align: int  # offsets and lengths of writes must be multiples of it (except the end of the disk); 1 when buffered
    # Written into an unfinished target: a record that names it is about this target, as it is now, if ``vouches_for``
    # says so too.
    # Another one after start_anew; empty where the journal is kept beside the target.
    stamp: str

    @property
    def fresh(self) -> bool:
        """Nothing of an earlier process is in it."""
        ...

    @property
    def in_doubt(self) -> bool:
        """A sync or a write-back has failed: the kernel says so once, whoever hears it, and may have dropped what it
        had taken before. What a write is refused itself is not meant."""
        ...

    def start_anew(self) -> None:
        """Forget what an earlier process wrote."""
        ...

    def go_on(self, reach: int = 0) -> None:
        """Keep what an earlier process wrote. Of a sink that was opened for a resume either this or ``start_anew``
        comes first: until then it is only locked.

        ``reach``: bytes of disk up to the last one that is kept. The size that the sink was opened with may be less: a
        plan knows only a lower bound. Nothing before ``reach`` is cut off or made zero.
        """
        ...

    def identity(self) -> str:
        """What tells this target from every other, for the journal. Another one after ``start_anew``, where that made
        another one of it."""
        ...

    def vouch(self, record: str) -> None:
        """Remember in the unfinished target itself, durably, that this program made ``record``, which travels through
        hands that are not trusted. Only where there is a ``stamp``."""
        ...

    def vouches_for(self, record: str) -> bool:
        """Whether ``record`` is, to the letter, one of the newest that were made of this target, as it is now."""
        ...

    def volatile_ranges(self) -> list[tuple[int, int]]:
        """(start, end) of what is held in memory until ``publish``: never part of a journal."""
        ...

    def grow(self, size: int) -> None:
        """Make the disk at least ``size`` bytes long; what is added reads as zeros."""
        ...

    def write(self, offset: int, data: memoryview) -> None:
        """Make [offset, offset+len(data)) hold ``data``; zero blocks of 64 KiB are not written but left or made holes.

        The address of ``data`` need be aligned only for speed. Blocking; returns when the kernel took the bytes.
        """
        ...

    def zero(self, offset: int, length: int) -> None:
        """Make the range read as zeros: nothing on a fresh file, punched or written on old content."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Bytes written before, for hashing a kept prefix again."""
        ...

    def sync(self) -> None:
        """fdatasync: everything written before survives a power cut."""
        ...

    def publish(self) -> None:
        """Make the whole disk durable and give it its final name, mode and size. After this it is a disk."""
        ...

    def discard(self) -> None:
        """Leave nothing usable: remove the partial file, or zero both ends of the device and discard the rest."""
        ...

    def close(self) -> None:
        """Release descriptors; an unpublished partial file stays for a resume."""
        ...
