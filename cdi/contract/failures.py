"""What the last words of a worker say of its failure. Pure."""

from __future__ import annotations

import re

NEEDS_SCRATCH_REASON = "Scratch space required"  # no failure: of the condition Running, until a pod has some
_TOO_SMALL = (
    "is larger than the reported available",
    "no space left on device",
    "file largest block is bigger than maxblock",
    "disk quota exceeded",
)
_CODE = re.compile(r"\[([A-Z][A-Za-z0-9]+)\] ")


def is_checksum_mismatch(message: str) -> bool:
    return "checksum mismatch" in message


def failure_code(message: str) -> str:
    """The catalogue code that a worker's message carries; empty without one."""
    match = _CODE.search(message)
    return match.group(1) if match else ""


def shown(message: str) -> str:
    """The contract's fixed text for a volume that is too small, in front of what the worker said."""
    if any(text in message for text in _TOO_SMALL):
        return f"DataVolume too small to contain image: {message}"
    return message
