"""How much our programs log: the ``-v=N`` that they are started with, which is the contract's."""

from __future__ import annotations

import logging

_DETAILS = 3


def level_of(verbosity: int) -> int:
    """From 3 on every step, below what an operator wants to know. Warnings and errors are always told."""
    return logging.DEBUG if verbosity >= _DETAILS else logging.INFO
