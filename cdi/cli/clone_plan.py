"""How a volume is cloned, and why not otherwise, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from cdi.api.datavolume import Clone
from cdi.base.units import human_size

_WORK = {
    "csi-clone": "the storage clones the volume",
    "snapshot": "the storage takes a snapshot and restores it",
    "copy": "pods copy the data",
}


def plan_lines(clone: Clone | None) -> Iterator[str]:
    """Nothing where nothing is cloned, or nobody has planned it yet."""
    if clone is None:
        return
    if clone.method:
        yield f"Plan: {clone.method}, {_WORK.get(clone.method, 'a method of another version')}; {_bytes(clone)}."
        yield from (f"  {line}" for line in _details(clone))
    else:
        yield "Plan: none, no method is left."
    yield from (f"  not {item.method} ({item.code}): {item.reason}" for item in clone.rejected)


def _bytes(clone: Clone) -> str:
    if clone.method != "copy":
        return "no bytes pass through pods"
    return f"at most {human_size(clone.moves_at_most)} ({clone.moves_at_most:,} bytes), less where there are holes"


def _details(clone: Clone) -> Iterator[str]:
    if clone.asked:
        yield f"asked for by annotation cloneType: {clone.asked}"
    if clone.snapshot_class:
        yield f"snapshot of class {clone.snapshot_class}"
    if clone.restore_class:
        yield f"the snapshot is restored by storage class {clone.restore_class} first"
    if clone.expands:
        yield "made as large as the source, then grown to the size asked for"
    if clone.then:
        yield f"if that fails for good: {', then '.join(clone.then)}"
