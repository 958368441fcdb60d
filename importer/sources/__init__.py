"""Sources: what gives the bytes of an image, by range or as one stream.

Every source answers ``probe`` once (at most two requests, no payload beyond the head) and then ``open`` from any
thread. A source never retries and never hides a fault: retrying belongs to ``importer.fetch``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cdi.base.units import KiB

# A zstd block may be 128 KiB packed: with less than one nothing of the content can be recognised.
HEAD_SIZE = 192 * KiB

# (start, end) of what may be data, in order and apart; the rest is known to read as zeros.
Extents = Iterator[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the first answer of a source said.

    ``size``: bytes of the transfer, None when unknown. ``ranges``: proven by a 206. ``etag``: strong validator, with
    quotes, else None. ``head``: the first ``min(size, HEAD_SIZE)`` bytes as transferred (before decompression).
    ``resource``: a hash of what was asked for, on whatever host (``url.resource_of``). ``place``: where the answer came
    from, after all redirects, without its query. ``local``: what is read, when it is a file or device of this machine.
    ``coding``: the packing that the transfer has, and the file perhaps not (Content-Encoding): the bytes are given as
    they are transferred. ``once``: what breaks off cannot be asked for again, ``open`` works one time.
    ``extents``: what of a source with ranges is data, asked for anew at each call and while it is read; None: nobody
    knows.
    """

    name: str
    size: int | None
    ranges: bool
    etag: str | None
    head: bytes
    content_type: str = ""
    last_modified: str | None = None
    notes: tuple[str, ...] = ()
    resource: str = ""
    place: str = ""
    local: Path | None = None
    coding: str = ""
    once: bool = False
    extents: Callable[[], Extents] | None = field(default=None, compare=False, repr=False)


class Body(Protocol):
    """The bytes of one answer, in order. Blocking; one thread at a time."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of ``buffer``, as much as is cheap; 0 only at the proven end of the answer.

        Raises Fault (ConnectionLost, SourceTruncated, SourceStalled, SourceTooLong) when the answer breaks off.
        """
        ...

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else drop it. Never raises."""
        ...


class Source(Protocol):
    name: str  # for people: never credentials, query strings or fragments
    trust_checksum: bool  # set by who will verify a checksum of it all: whatever has the same size may continue

    @property
    def mixed(self) -> tuple[str, str] | None:
        """Two versions that the bytes are of, when that was accepted for the sake of the checksum."""
        ...

    def probe(self) -> Facts:
        """Ask once. A server without ranges keeps that answer open: the next ``open(0, None)`` continues it."""
        ...

    def open(self, offset: int, length: int | None) -> Body:
        """Bytes [offset, offset+length); length None: to the end. Safe from several threads when facts.ranges.

        Without ranges only offset 0 is possible. Every answer is checked against the facts of the probe (length,
        strong ETag, Content-Range): SourceChanged when they differ.
        """
        ...

    def interrupt(self) -> None:
        """Make every blocked read of this source fail soon (Ctrl-C, SIGTERM). Safe from a signal handler's thread."""
        ...

    def close(self) -> None: ...


Opener = Callable[[], Source]  # gives a source of which nothing was asked yet; called anew for every attempt


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where an image is and how to get at it: everything a source needs, as the user said it."""

    url: str
    user: str = ""  # basic auth, or the S3 access key id
    password: str = field(default="", repr=False)  # or the S3 secret key
    session_token: str = field(default="", repr=False)
    region: str = ""
    headers: tuple[str, ...] = ()  # "Name: value" lines
    secret_headers: tuple[str, ...] = field(default=(), repr=False)
    ca_files: tuple[Path, ...] = ()  # files or directories of PEM files
    insecure: bool = False  # insecureSkipVerify
    kind: str = ""  # the only kind of source it may be (IMPORTER_SOURCE); empty: what the URL says
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # http_proxy, https_proxy, no_proxy, AWS_*
    one_answer: bool = False  # ask for no ranges: all bytes come with one answer, whatever the next would be
    guarded: bool = False  # the URL's author may not reach all that this process reaches: see ``guard``
    connect_timeout_s: float = 20.0
    stall_timeout_s: float = 60.0  # no bytes for so long: SourceStalled
