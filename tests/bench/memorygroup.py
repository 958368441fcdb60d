"""A memory cgroup with a limit, version 1 or 2: what a pod's memory limit is made of. Needs root."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryGroup:
    path: Path
    peak_file: str

    def command(self, command: Sequence[str]) -> list[str]:
        """``command``, started inside the group."""
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.path), *command]

    @property
    def peak(self) -> int:
        """Bytes at most charged to the group, page cache included."""
        return int((self.path / self.peak_file).read_text())


@contextmanager
def memory_group(limit: int) -> Iterator[MemoryGroup]:
    """A group of ``limit`` bytes; removed afterwards, when all of its processes have ended."""
    version_1 = (_ROOT / "memory").is_dir()
    if not version_1:
        (_ROOT / "cgroup.subtree_control").write_text("+memory")
    path = (_ROOT / "memory" if version_1 else _ROOT) / f"cdi-bench-{os.getpid()}"
    path.mkdir()
    try:
        (path / ("memory.limit_in_bytes" if version_1 else "memory.max")).write_text(str(limit))
        yield MemoryGroup(path, "memory.max_usage_in_bytes" if version_1 else "memory.peak")
    finally:
        path.rmdir()
