"""HTTP and HTTPS sources: one ranged GET tells everything, later answers are checked against it.

No HEAD: presigned URLs and KubeVirt's export server answer only GET, and a 206 is the only proof of ranges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE, Body, Facts, SourceSpec
from importer.sources.answers import (
    ContentRange,
    Validators,
    content_coding,
    parse_content_range,
    status_fault,
    status_text,
    strong_etag,
)
from importer.sources.body import AnswerBody, EmptyBody, GzipBody, ReplayBody, Span
from importer.sources.connection import Dialer
from importer.sources.credentials import Header, credentials_of, may_carry_credentials
from importer.sources.live import LiveSockets
from importer.sources.pool import Answer, Pool, Request
from importer.sources.redirects import REDIRECT_LIMIT, REDIRECT_STATUSES, next_hop, too_many_redirects
from importer.sources.trust import Trust
from importer.sources.url import HttpUrl, display_name, parse_http_url, resource_of


@dataclass(frozen=True, slots=True)
class Address:
    """Where to GET, and the headers for exactly that origin. ``expires_s``: on the clock of time.monotonic()."""

    url: HttpUrl = field(repr=False)  # a presigned query is a credential
    headers: tuple[Header, ...] = field(default=(), repr=False)
    expires_s: float | None = None

    @property
    def is_expired(self) -> bool:
        return self.expires_s is not None and time.monotonic() >= self.expires_s


# Gives a fresh address (a presigned URL); called before the first request, after expiry, and when the address stops
# serving. Blocking, one call at a time, from any thread. Raises Fault.
Resolve = Callable[[], Address]
# What an answer that is neither content nor redirect means: (status, headers, first 16 KiB of the body). None: the
# usual fault of the status.
Explain = Callable[[int, Message, bytes], Fault | None]


@dataclass(frozen=True, slots=True)
class _Pin:
    """Where the answers come from since the last resolution, and where that began. Compared by identity."""

    start: Address
    address: Address
    version: Validators

    @property
    def is_redirected(self) -> bool:
        return self.address.url != self.start.url


@dataclass(frozen=True, slots=True)
class _Kept:
    """The answer of a probe without ranges, waiting for ``open``."""

    body: Body


class HttpSource:
    """A file behind an http or https URL.

    ``resolve``: gives the address instead of ``spec.url``, with all headers it needs; the credentials of ``spec`` are
    then not sent. ``trust_checksum``: a checksum will be verified, so a mirror with other ETags may continue.
    Locks: ``_lock`` guards ``_kept``; ``_resolving`` is held around ``resolve``. ``_pin`` and ``_suspect`` are replaced
    whole and compared by identity: the last writer wins, and every pin was accepted by its validators.
    """

    trust_checksum = False

    def __init__(
        self, spec: SourceSpec, resolve: Resolve | None = None, explain: Explain | None = None, name: str = ""
    ) -> None:
        self.name = name or display_name(spec.url)
        self._resource = resource_of(spec.url)
        self._notes: tuple[str, ...] = ()
        self._resolve = resolve
        self._explain = explain
        self._start = Address(HttpUrl("http", "", 0, ""), expires_s=0.0)
        if resolve is None:
            url, userinfo = parse_http_url(spec.url)
            credentials = credentials_of(spec, userinfo)
            self._start = Address(url, credentials.headers)
            self._notes = credentials.notes
        self._live = LiveSockets()
        trust = Trust(spec.ca_files, spec.insecure)
        dialer = Dialer(trust, self._live, spec.connect_timeout_s, spec.stall_timeout_s, spec.guarded)
        self._pool = Pool(self.name, dialer, spec.environ)
        self._lock = threading.Lock()
        self._resolving = threading.Lock()
        self._facts: Facts | None = None
        self._encoding = ""
        self._pin: _Pin | None = None
        self._suspect: _Pin | None = None  # failed in a way that may pass: the next open resolves again
        self._kept: _Kept | None = None

    @property
    def pinned_url(self) -> str:
        """Where the bytes come from after all redirects. May hold a presigned query: not for logs."""
        return str(self._pin.address.url) if self._pin is not None else ""

    # --- probe ------------------------------------------------------------------------------------------------------

    def probe(self) -> Facts:
        self._drop_kept()
        start = self._fresh_start(None)
        answer = self._follow(start, (("Range", f"bytes=0-{HEAD_SIZE - 1}"),))
        content_range = parse_content_range(answer.headers.get("Content-Range"))
        if answer.status == 416 and content_range is not None and content_range.total == 0:
            answer.discard()
            raise Fault("SourceEmpty", source=self.name)
        if answer.status == 416 or (answer.status == 206 and not _is_usable_start(answer, content_range)):
            answer.discard()
            content_range = None
            answer = self._follow(start, ())
        if answer.status == 206 and content_range is not None:
            facts = self._probe_ranged(answer, content_range)
        elif answer.status == 200:
            facts = self._probe_stream(answer)
        else:
            raise self._status_fault(answer, first=True)
        self._facts = facts
        return facts

    def _probe_ranged(self, answer: Answer, content_range: ContentRange) -> Facts:
        assert content_range.end is not None
        version = _version_of(answer.headers, content_range.total)
        head, body = self._read_head(AnswerBody(answer, Span(self.name, 0, content_range.end + 1, whole=False)))
        body.close()
        self._encoding = ""
        return self._remember(answer, version, head, ranges=True)

    def _probe_stream(self, answer: Answer) -> Facts:
        self._encoding = self._encoding_of(answer)
        size = None if self._encoding else _length_of(answer)
        if _length_of(answer) == 0:
            answer.drop()
            raise Fault("SourceEmpty", source=self.name)
        version = _version_of(answer.headers, size)
        head, body = self._read_head(self._stream_body(answer))
        if not head:
            body.close()
            raise Fault("SourceEmpty", source=self.name)
        if len(head) < HEAD_SIZE:  # the answer has ended: its size is known now
            version = _version_of(answer.headers, len(head))
        with self._lock:
            self._kept = _Kept(ReplayBody(head, body))
        return self._remember(answer, version, head, ranges=False)

    def _read_head(self, body: Body) -> tuple[bytes, Body]:
        """The first HEAD_SIZE bytes; fewer only when the answer ends there."""
        head = bytearray(HEAD_SIZE)
        got = 0
        try:
            with memoryview(head) as view:
                while got < HEAD_SIZE:
                    count = body.readinto(view[got:])
                    if count == 0:
                        break
                    got += count
        except BaseException:
            body.close()
            raise
        return bytes(head[:got]), body

    def _remember(self, answer: Answer, version: Validators, head: bytes, ranges: bool) -> Facts:
        content_type = answer.headers.get("Content-Type", "")
        notes = list(self._notes)
        if content_type.lower().startswith("text/"):
            notes.append(f"Unexpected content type '{content_type}'. Content might not be a KubeVirt image.")
        self._pin = _Pin(self._start, _address_of(self._start, answer), version)
        self._suspect = None
        return Facts(
            name=self.name,
            size=version.size,
            ranges=ranges,
            etag=version.etag,
            head=head,
            content_type=content_type,
            last_modified=version.last_modified,
            notes=tuple(notes),
            resource=self._resource,
            place=display_name(self.pinned_url),
        )

    # --- open -------------------------------------------------------------------------------------------------------

    def open(self, offset: int, length: int | None) -> Body:
        facts = self._facts
        if facts is None:
            raise ValueError("probe() comes before open()")
        if not facts.ranges:
            return self._open_stream(offset)
        assert facts.size is not None
        end = facts.size if length is None else offset + length
        if not 0 <= offset <= end <= facts.size:
            raise ValueError(f"bytes [{offset}, {end}) of a source of {facts.size} bytes")
        if offset == end:
            return EmptyBody()
        return self._open_range(offset, end, facts.size)

    def _open_stream(self, offset: int) -> Body:
        if offset != 0:
            raise ValueError("a source without ranges is read from its first byte")
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is not None:
            return kept.body
        answer = self._request((), None, 0)
        if answer.status != 200:
            raise self._status_fault(answer, first=False)
        self._refuse_other_version(answer, _version_of(answer.headers, self._plain_size(answer)))
        return self._stream_body(answer)

    def _open_range(self, offset: int, end: int, size: int) -> Body:
        answer = self._request((("Range", f"bytes={offset}-{end - 1}"),), self._if_range, offset)
        content_range = parse_content_range(answer.headers.get("Content-Range"))
        if answer.status not in (200, 206, 416):
            raise self._status_fault(answer, first=False)
        total = _length_of(answer) if answer.status == 200 else content_range.total if content_range else None
        self._refuse_other_version(answer, _version_of(answer.headers, total))
        detail = _range_defect(answer, content_range, offset, end)
        if detail:
            answer.drop()
            status = status_text(answer.status, answer.response.reason)
            raise Fault("RangesWithdrawn", source=self.name, status=status, detail=detail)
        return AnswerBody(answer, Span(self.name, offset, end, whole=False))

    def _refuse_other_version(self, answer: Answer, now: Validators) -> None:
        pin = self._pin
        assert pin is not None
        if pin.version.differ(now):
            answer.drop()
            raise Fault("SourceChanged", source=self.name, before=str(pin.version), after=str(now))

    def _if_range(self, pin: _Pin) -> tuple[Header, ...]:
        return (("If-Range", pin.version.etag),) if pin.version.etag else ()

    def _stream_body(self, answer: Answer) -> Body:
        body = AnswerBody(answer, Span(self.name, 0, _length_of(answer), whole=True))
        return GzipBody(self.name, body) if self._encoding_of(answer) else body

    def _plain_size(self, answer: Answer) -> int | None:
        return None if self._encoding_of(answer) else _length_of(answer)

    def _encoding_of(self, answer: Answer) -> str:
        """``gzip`` or nothing. Raises Fault ContentEncodingUnknown and drops the answer."""
        encoding = content_coding(answer.headers.get("Content-Encoding"))
        if not encoding:
            return ""
        if encoding in ("gzip", "x-gzip"):
            return "gzip"
        answer.drop()
        raise Fault("ContentEncodingUnknown", source=self.name, encoding=encoding)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _request(
        self, ask: tuple[Header, ...], condition: Callable[[_Pin], tuple[Header, ...]] | None, got: int
    ) -> Answer:
        """Ask where the bytes came from so far, and resolve again when that place no longer serves."""
        pin = self._pin
        assert pin is not None
        while pin is not self._suspect and not pin.address.is_expired:
            conditions = condition(pin) if condition is not None else ()
            answer = self._get_pinned(pin, ask + conditions, got)
            if not self._has_moved(pin, answer.status):
                return answer
            answer.discard()
            newest = self._pin
            if newest is None or newest is pin:
                break
            pin = newest  # another thread has found the new place
        return self._resolve_again(pin, ask, got)

    def _get_pinned(self, pin: _Pin, ask: tuple[Header, ...], got: int) -> Answer:
        try:
            answer = self._pool.get(Request(pin.address.url, pin.address.headers, ask, got))
        except Fault as fault:
            if pin.is_redirected and fault.code in ("ConnectionRefused", "HostUnknown"):
                self._suspect = pin
            raise
        if pin.is_redirected and answer.status >= 500:
            self._suspect = pin
        return answer

    def _has_moved(self, pin: _Pin, status: int) -> bool:
        if status in REDIRECT_STATUSES:
            return True
        if pin.is_redirected and status in (401, 403, 404, 410):
            return True
        return self._resolve is not None and status in (400, 401, 403)  # S3 says ExpiredToken with a 400

    def _resolve_again(self, old: _Pin, ask: tuple[Header, ...], got: int) -> Answer:
        """Start over from the user's URL. Bytes may go on from there only when they are proven to be of the same
        version; no If-Range here, because a mirror does not know the other one's ETags."""
        start = self._fresh_start(old)
        answer = self._follow(start, ask, got)
        if answer.status not in (200, 206):
            return answer
        address = _address_of(start, answer)
        content_range = parse_content_range(answer.headers.get("Content-Range"))
        total = content_range.total if answer.status == 206 and content_range else self._plain_size(answer)
        now = _version_of(answer.headers, total)
        is_same_place = address.url.origin == old.address.url.origin
        is_same = not old.version.differ(now) if is_same_place else self._continues(old.version, now)
        if not is_same:
            answer.drop()
            raise Fault("SourceChanged", source=self.name, before=str(old.version), after=str(now))
        self._pin = _Pin(start, address, now)
        return answer

    def _continues(self, before: Validators, now: Validators) -> bool:
        return before.continues_on_another_host(now, self.trust_checksum)

    def _fresh_start(self, old: _Pin | None) -> Address:
        """The address to begin with. With ``resolve``: a new one, unless another thread got one since ``old``."""
        if self._resolve is None:
            return self._start
        with self._resolving:
            if old is None or old.start is self._start or self._start.is_expired:
                self._start = self._resolve()
            return self._start

    def _follow(self, start: Address, ask: tuple[Header, ...], got: int = 0) -> Answer:
        url = start.url
        for _ in range(REDIRECT_LIMIT + 1):
            headers = start.headers if may_carry_credentials(start.url, url) else ()
            answer = self._pool.get(Request(url, headers, ask, got))
            location = answer.headers.get("Location")
            if answer.status not in REDIRECT_STATUSES or not location:
                return answer
            answer.discard()
            url = next_hop(url, location, self.name)
        raise too_many_redirects(self.name, url)

    def _status_fault(self, answer: Answer, first: bool) -> Fault:
        status, headers = answer.status, answer.headers
        status_line = (status, answer.response.reason)
        body = answer.discard()
        explained = self._explain(status, headers, body) if self._explain is not None else None
        return explained or status_fault(self.name, status_line, headers.get("Retry-After"), first)

    # --- ending -------------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        self._live.interrupt()

    def close(self) -> None:
        self._drop_kept()
        self._pool.close()
        self._live.shut_all()

    def _drop_kept(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is not None:
            kept.body.close()


def _is_usable_start(answer: Answer, content_range: ContentRange | None) -> bool:
    """A 206 that proves ranges: it starts at 0, has a total, and is not compressed on the way."""
    encoding = content_coding(answer.headers.get("Content-Encoding"))
    if content_range is None or content_range.end is None or encoding:
        return False
    total, end = content_range.total, content_range.end
    return content_range.start == 0 and total is not None and end + 1 == min(total, HEAD_SIZE)


def _range_defect(answer: Answer, content_range: ContentRange | None, offset: int, end: int) -> str:
    if answer.status != 206:
        return "the range was ignored" if answer.status == 200 else "the range was refused"
    if content_range is None:
        return "no Content-Range"
    if (content_range.start, content_range.end) != (offset, end - 1):
        return f"Content-Range {content_range.start}-{content_range.end} instead of {offset}-{end - 1}"
    if content_coding(answer.headers.get("Content-Encoding")):
        return "compressed on the way"
    if _length_of(answer) not in (None, end - offset):
        return f"Content-Length {_length_of(answer)} instead of {end - offset}"
    return ""


def _address_of(start: Address, answer: Answer) -> Address:
    headers = start.headers if may_carry_credentials(start.url, answer.url) else ()
    return Address(answer.url, headers, start.expires_s)


def _version_of(headers: Message, size: int | None) -> Validators:
    return Validators(size, strong_etag(headers.get("ETag")), headers.get("Last-Modified"))


def _length_of(answer: Answer) -> int | None:
    """The announced length of the body; http.client counts its ``length`` down, the header stays."""
    value = answer.headers.get("Content-Length", "").strip()
    return int(value) if value.isdecimal() and not answer.response.chunked else None
