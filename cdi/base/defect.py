"""An exception that nobody foresaw, as far as it may be told to anybody."""

from __future__ import annotations

import traceback
from pathlib import Path


def place_of(error: BaseException) -> str:
    """Type and place. Not its text, which may hold what is secret in a URL, and where it goes many can read."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    return f"{type(error).__name__} in {'/'.join(Path(frames[-1].filename).parts[-2:])}, line {frames[-1].lineno}"
