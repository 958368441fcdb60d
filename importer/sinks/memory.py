"""A raw disk in memory, for tests: held to the same contract as the real ones."""

from __future__ import annotations

from cdi.base.units import GiB


class MemorySink:
    """``data`` is the disk; ``published`` and ``discarded`` say how it ended."""

    name = "memory"
    block = 512
    align = 1
    fresh = True
    in_doubt = False
    stamp = ""

    def __init__(self, size: int) -> None:
        if size > GiB:
            raise ValueError("a disk in memory is for tests: at most 1 GiB")
        self.size = size
        self.data = bytearray(size)
        self.published = False
        self.discarded = False
        self.synced = 0  # number of syncs

    def start_anew(self) -> None:
        self.data[:] = bytes(len(self.data))

    def go_on(self, reach: int = 0) -> None:
        """There is nothing to go on with."""

    def identity(self) -> str:
        return f"memory:{id(self)}"

    def vouch(self, record: str) -> None:
        """There is no stamp, and nobody has records of it."""

    def vouches_for(self, record: str) -> bool:
        return False

    def volatile_ranges(self) -> list[tuple[int, int]]:
        return []

    def write(self, offset: int, data: memoryview) -> None:
        self.grow(offset + len(data))
        self.data[offset : offset + len(data)] = data

    def zero(self, offset: int, length: int) -> None:
        self.grow(offset + length)
        self.data[offset : offset + length] = bytes(length)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length]).ljust(length, b"\0")

    def grow(self, size: int) -> None:
        if size > self.size:
            self.data.extend(bytes(size - self.size))
            self.size = size

    def sync(self) -> None:
        self.synced += 1

    def publish(self) -> None:
        self.published = True

    def discard(self) -> None:
        if not self.published:
            self.discarded = True
            self.start_anew()

    def close(self) -> None:
        pass
