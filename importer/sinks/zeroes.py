"""Finding zero blocks at memory speed, without holding the GIL.

``memcmp`` through ctypes releases the GIL and compares 31 to 40 GiB/s; ``memoryview == bytes`` compares element by
element at 0.8 GiB/s (both measured on one machine, 1 MiB of zeros).
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator

from cdi.base.units import KiB, MiB, round_down

GRANULARITY = 64 * KiB  # what counts as one block of zeros, on the grid of the disk
_COARSE = MiB

_libc = ctypes.CDLL(None)  # CDLL, not PyDLL: the GIL is released during the call
_memcmp = _libc.memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_memcmp.restype = ctypes.c_int


class _PyBuffer(ctypes.Structure):
    """``Py_buffer`` of the C API: the only way to the address of a read-only buffer (``from_buffer`` refuses it)."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = (ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int)
_get_buffer.restype = ctypes.c_int
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = (ctypes.POINTER(_PyBuffer),)
_release_buffer.restype = None


def address_of(data: memoryview) -> int:
    """Where the bytes of a contiguous view lie in memory; valid while the view is held."""
    view = _PyBuffer()
    _get_buffer(data, ctypes.byref(view), 0)
    address = view.buf or 0
    _release_buffer(ctypes.byref(view))
    return address


# Never written: all its pages are the kernel's one zero page, so it costs no memory.
ZEROES = memoryview(mmap.mmap(-1, _COARSE)).toreadonly()
_ZERO_ADDRESS = address_of(ZEROES)


def nonzero_runs(data: memoryview, granularity: int = GRANULARITY, base: int = 0) -> Iterator[tuple[int, int]]:
    """(start, length) of every maximal run of blocks that are not all zero, in order.

    ``base``: where ``data`` begins on the disk. Blocks lie on multiples of ``granularity`` (at most 1 MiB, dividing
    it) of the disk, so the first and the last may be partial.
    """
    address, begin = address_of(data), -1
    for start, _, zero in _blocks(address, len(data), granularity, base):
        if zero and begin >= 0:
            yield begin, start - begin
            begin = -1
        elif not zero and begin < 0:
            begin = start
    if begin >= 0:
        yield begin, len(data) - begin


def pieces(data: memoryview, base: int) -> Iterator[tuple[int, int, bool]]:
    """``data`` cut without gaps into (start, length, whether it is all zero)."""
    done = 0
    for start, length in nonzero_runs(data, base=base):
        if start > done:
            yield done, start - done, True
        yield start, length, False
        done = start + length
    if done < len(data):
        yield done, len(data) - done, True


def is_zero(data: memoryview) -> bool:
    return not any(nonzero_runs(data))


def _blocks(address: int, size: int, step: int, base: int) -> Iterator[tuple[int, int, bool]]:
    """Blocks of ``step`` on the disk's grid; zero ones come as large as 1 MiB."""
    for start, length in _grid(0, size, _COARSE, base):
        if _memcmp(address + start, _ZERO_ADDRESS, length) == 0:
            yield start, length, True
            continue
        for inner, part in _grid(start, start + length, step, base):
            yield inner, part, _memcmp(address + inner, _ZERO_ADDRESS, part) == 0


def _grid(start: int, end: int, step: int, base: int) -> Iterator[tuple[int, int]]:
    while start < end:
        following = min(end, round_down(base + start, step) + step - base)
        yield start, following - start
        start = following
