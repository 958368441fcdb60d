"""What the worst input costs each parser: time that does not grow with a power of it, and memory that a worker has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.largest import INPUTS

_ROOT = Path(__file__).parents[3]
_MOST_S, _MOST_MIB = 200, 512  # of CPU: the longest takes 18 s, of the others 6 s; a worker may have 600 MiB
_PART = 16
_HEAVY = [name for name in INPUTS if "scattered" in name or "one cluster" in name or "packed cluster" in name]


def cost(name: str, part: int = 1) -> tuple[str, float, int]:
    program = f"from support.largest import measure; measure({name!r})"
    environment = {"PYTHONPATH": f"{_ROOT / 'tests'}:{_ROOT}", "LARGEST_PART": str(part)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    code, seconds, memory = json.loads(done.stdout)
    return code, seconds, memory


@pytest.mark.parametrize("name", [name for name in INPUTS if name not in _HEAVY])
def test_the_worst_input_is_answered_in_bounded_time_and_memory(name: str) -> None:
    _, seconds, memory = cost(name)
    assert seconds < _MOST_S / 2
    assert memory < _MOST_MIB / 2


@pytest.mark.parametrize("name", _HEAVY)
def test_a_sixteenth_of_the_tables_takes_a_sixteenth(name: str) -> None:
    """So a power of their number in what they cost shows in every run."""
    code, seconds, memory = cost(name, _PART)
    assert code in ("ImageTableTooBig", "ImageTruncated")
    assert seconds < _MOST_S / _PART
    assert memory < _MOST_MIB / 4  # one table of 2 MiB takes 80


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", _HEAVY)
def test_tables_alone_take_no_more_than_a_worker_has(name: str) -> None:
    code, seconds, memory = cost(name)
    assert code in ("ImageTableTooBig", "ImageTruncated")
    assert seconds < _MOST_S
    assert memory < _MOST_MIB
