"""HTTP and HTTPS sources: one ranged GET tells everything, later answers are checked against it.

No HEAD: presigned URLs and KubeVirt's export server answer only GET, and a 206 is the only proof of ranges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE, Body, Facts, Source, SourceSpec
from importer.sources.answers import (
    CODINGS,
    ContentRange,
    Validators,
    changed,
    content_coding,
    is_coded,
    known_date,
    parse_content_range,
    printable,
    status_fault,
    status_text,
    strong_etag,
    unspoken_schemes,
)
from importer.sources.body import AnswerBody, EmptyBody, ReplayBody, Span
from importer.sources.connection import Dialer
from importer.sources.credentials import Header, credentials_of, may_carry_credentials, withheld, written_into
from importer.sources.head import Fields
from importer.sources.live import LiveSockets
from importer.sources.pool import Answer, Pool, Request
from importer.sources.redirects import REDIRECT_LIMIT, REDIRECT_STATUSES, next_hop, too_many_redirects
from importer.sources.trust import Trust
from importer.sources.url import HttpUrl, display_name, parse_http_url, resource_of, userinfo_of


@dataclass(frozen=True, slots=True)
class Address:
    """Where to GET, and the headers for exactly that origin. ``expires_s``: on the clock of time.monotonic().
    ``public``: those of them that other origins may see."""

    url: HttpUrl = field(repr=False)  # a presigned query is a credential
    headers: tuple[Header, ...] = field(default=(), repr=False)
    expires_s: float | None = None
    public: tuple[Header, ...] = ()

    @property
    def is_expired(self) -> bool:
        return self.expires_s is not None and time.monotonic() >= self.expires_s


# Gives a fresh address (a presigned URL); called before the first request, after expiry, and when the address stops
# serving. Blocking, one call at a time, from any thread. Raises Fault.
Resolve = Callable[[], Address]
# What an answer that is neither content nor redirect means: (status, headers, first 16 KiB of the body). None: the
# usual fault of the status.
Explain = Callable[[int, Fields, bytes], Fault | None]

_LEAST_PIECE = 4096  # bytes; a server that gives less at a time is read as a stream
_ASKED_FOR_SAME = 4  # times that the other backend of a server may answer, before it is taken for another version
# What refuses the range and not the file: RFC 9110, 15.5.13, 15.5.17, 15.5.18, 15.6.2.
_NO_RANGES = frozenset({412, 416, 417, 501})


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


def open_source(spec: SourceSpec) -> Source:
    return HttpSource(spec)


class HttpSource:
    """A file behind an http or https URL.

    ``resolve``: gives the address instead of ``spec.url``, with all headers it needs; the credentials of ``spec`` are
    then not sent. ``trust_checksum``, ``mixed``: see Source.
    Locks: ``_lock`` guards ``_kept``; ``_resolving`` is held around ``resolve``. ``_pin`` and ``_suspect`` are replaced
    whole and compared by identity: the last writer wins, and every pin was accepted by its validators.
    """

    trust_checksum = False
    mixed: tuple[str, str] | None = None

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
            self._start = Address(url, credentials.headers, public=credentials.public)
            self._notes = credentials.notes
        self._live = LiveSockets()
        trust = Trust(spec.ca_files, spec.insecure)
        dialer = Dialer(trust, self._live, spec.connect_timeout_s, spec.stall_timeout_s, spec.guarded)
        self._pool = Pool(self.name, dialer, spec.environ)
        self._lock = threading.Lock()
        self._resolving = threading.Lock()
        self._facts: Facts | None = None
        self._one_answer = spec.one_answer
        self._conditional = True  # If-Range is understood, as far as is known
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
        facts = None if self._one_answer else self._probe_by_range(start)
        self._facts = facts or self._probe_stream(self._follow(start, ()))
        return self._facts

    def _probe_by_range(self, start: Address) -> Facts | None:
        """None when the server gives no ranges, and its answer is of no use for a stream."""
        answer = self._follow(start, (("Range", f"bytes=0-{HEAD_SIZE - 1}"),))
        content_range = parse_content_range(answer.headers.get("Content-Range"))
        if answer.status == 416 and content_range is not None and content_range.total == 0:
            answer.discard()
            raise Fault("SourceEmpty", source=self.name)
        if answer.status == 206 and content_range is not None and _is_usable_start(answer, content_range):
            return self._probe_ranged(answer, content_range)
        if answer.status in _NO_RANGES or answer.status == 206:
            answer.discard()
            return None
        return self._probe_stream(answer)

    def _probe_ranged(self, answer: Answer, content_range: ContentRange) -> Facts:
        assert content_range.end is not None
        assert content_range.total is not None
        version = _version_of(answer.headers, content_range.total)
        head, body = self._read_head(AnswerBody(answer, Span(self.name, 0, content_range.end + 1, whole=False)))
        body.close()
        self._remember(answer, version)
        return self._facts_of(answer, self._completed(head, content_range.total), ranges=True)

    def _completed(self, head: bytes, size: int) -> bytes:
        """A server may give less than it was asked for (RFC 9110, 15.3.7): the rest of the head is asked for."""
        wanted = min(size, HEAD_SIZE)
        while len(head) < wanted:
            more, body = self._read_head(self._open_range(len(head), wanted, size))
            body.close()
            head += more
        return head

    def _probe_stream(self, answer: Answer) -> Facts:
        if answer.status != 200:
            raise self._status_fault(answer, first=True)
        coding = self._coding_of(answer)
        size = answer.head.length
        if size == 0:
            answer.drop()
            raise Fault("SourceEmpty", source=self.name)
        head, body = self._read_head(AnswerBody(answer, Span(self.name, 0, size, whole=True)))
        if not head:
            body.close()
            raise Fault("SourceEmpty", source=self.name)
        # When the answer has ended, its size is known.
        self._remember(answer, _version_of(answer.headers, len(head) if len(head) < HEAD_SIZE else size))
        with self._lock:
            self._kept = _Kept(ReplayBody(head, body))
        return self._facts_of(answer, head, ranges=False, coding=coding)

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

    def _remember(self, answer: Answer, version: Validators) -> None:
        self._pin = _Pin(self._start, _address_of(self._start, answer), version)
        self._suspect = None

    def _facts_of(self, answer: Answer, head: bytes, *, ranges: bool, coding: str = "") -> Facts:
        pin = self._pin
        assert pin is not None
        content_type = printable(answer.headers.text("Content-Type"))
        notes = list(self._notes)
        if content_type.lower().startswith("text/"):
            notes.append(f"Unexpected content type '{content_type}'. Content might not be a KubeVirt image.")
        if coding and not is_coded(coding, head):
            notes.append(
                f"The server says Content-Encoding {coding}, and the bytes are none: they are taken as they are."
            )
        return Facts(
            name=self.name,
            size=pin.version.size,
            ranges=ranges,
            etag=pin.version.etag,
            head=head,
            content_type=content_type,
            last_modified=pin.version.last_modified,
            notes=tuple(notes),
            resource=self._resource,
            place=display_name(self.pinned_url),
            coding=coding if is_coded(coding, head) else "",
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
        for left in reversed(range(_ASKED_FOR_SAME if self._one_answer else 1)):
            answer = self._request((), None, 0)
            if answer.status != 200:
                raise self._status_fault(answer, first=False)
            self._coding_of(answer)
            if self._is_acceptable(answer, _version_of(answer.headers, answer.head.length), fatal=left == 0):
                break
        return AnswerBody(answer, Span(self.name, 0, answer.head.length, whole=True))

    def _open_range(self, offset: int, end: int, size: int) -> Body:
        answer = self._ask_range(offset, end)
        if answer.status == 200 and self._conditional and self._is_the_pinned_version(answer):
            # The whole file, though it is the one that If-Range names: this server takes every If-Range for another.
            answer.drop()
            self._conditional = False
            answer = self._ask_range(offset, end)
        content_range = parse_content_range(answer.headers.get("Content-Range"))
        if answer.status not in (200, 206, 416):
            raise self._status_fault(answer, first=False)
        total = answer.head.length if answer.status == 200 else content_range.total if content_range else None
        self._is_acceptable(answer, _version_of(answer.headers, total), fatal=True)
        detail = _range_defect(answer, content_range, offset, end) or self._unproven(answer)
        if detail:
            answer.drop()
            status = status_text(answer.status, answer.head.reason)
            # A 416 says that the range is none of this file. Every other answer says that ranges are not given.
            raise Fault(
                "RangesWithdrawn", source=self.name, status=status, detail=detail, as_stream=answer.status != 416
            )
        assert content_range is not None
        assert content_range.end is not None
        return AnswerBody(answer, Span(self.name, offset, content_range.end + 1, whole=False))

    def _ask_range(self, offset: int, end: int) -> Answer:
        condition = self._if_range if self._conditional and not self.trust_checksum else None
        return self._request((("Range", f"bytes={offset}-{end - 1}"),), condition, offset)

    def _is_the_pinned_version(self, answer: Answer) -> bool:
        pin = self._pin
        etag = strong_etag(answer.headers.get("ETag"))
        return pin is not None and etag is not None and etag == pin.version.etag

    def _unproven(self, answer: Answer) -> str:
        """Without If-Range the validator in the answer has to say that it is the same file."""
        pin = self._pin
        if self._conditional or self.trust_checksum or pin is None or not pin.version.etag:
            return ""
        return "" if strong_etag(answer.headers.get("ETag")) else "no ETag, and If-Range is not understood"

    def _is_acceptable(self, answer: Answer, now: Validators, fatal: bool) -> bool:
        """Whether bytes of ``answer`` may be used with those before. One that may not is dropped; ``fatal``: raises
        Fault SourceChanged then."""
        pin = self._pin
        assert pin is not None
        before = pin.version
        if not before.differ(now):
            return True
        if self.trust_checksum and not before.is_other_size(now):
            self.mixed = self.mixed or (str(before), str(now))
            return True
        answer.drop()
        if fatal:
            raise changed(self.name, before, now)
        return False

    def _if_range(self, pin: _Pin) -> tuple[Header, ...]:
        return (("If-Range", pin.version.etag),) if pin.version.etag else ()

    def _coding_of(self, answer: Answer) -> str:
        """The coding that the bytes are said to have; those that nothing here undoes are refused, and dropped.

        They are given as they come: what they are shows in them, and a checksum is of the transferred bytes.
        """
        coding = content_coding(answer.headers.joined("Content-Encoding"))
        if not coding or coding in CODINGS:
            return CODINGS.get(coding, "")
        answer.drop()
        raise Fault("ContentEncodingUnknown", source=self.name, encoding=printable(coding))

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
        total = content_range.total if answer.status == 206 and content_range else answer.head.length
        now = _version_of(answer.headers, total)
        is_same_place = address.url.origin == old.address.url.origin
        is_same = (is_same_place and not old.version.differ(now)) or (
            (self.trust_checksum or not is_same_place) and self._continues(old.version, now)
        )
        if not is_same:
            answer.drop()
            raise changed(self.name, old.version, now)
        if old.version.differ(now):
            self.mixed = self.mixed or (str(old.version), str(now))
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
        written: tuple[Header, ...] = ()  # credentials in the Location that named this origin
        for _ in range(REDIRECT_LIMIT + 1):
            headers = start.headers if may_carry_credentials(start.url, url) else start.public + written
            answer = self._pool.get(Request(url, headers, ask, got))
            location = answer.headers.get("Location")
            if answer.status not in REDIRECT_STATUSES or not location:
                return answer
            answer.discard()
            before, url = url, next_hop(url, location, self.name)
            found = written_into(userinfo_of(before, location))
            written = found or (written if url.origin == before.origin else ())
        raise too_many_redirects(self.name, url)

    def _status_fault(self, answer: Answer, first: bool) -> Fault:
        status, headers = answer.status, answer.headers
        body = answer.discard()
        explained = self._explain(status, headers, body) if self._explain is not None else None
        if explained is not None:
            return explained
        line, retry_after = (status, answer.head.reason), headers.get("Retry-After")
        return status_fault(self._where(answer), line, retry_after, first, self._withheld_from(answer))

    def _where(self, answer: Answer) -> str:
        """The source, and the real place of an answer that came from another one."""
        place = display_name(str(answer.url))
        is_elsewhere = self._resolve is None and place != display_name(str(self._start.url))
        return f"{self.name} (redirected to {place})" if is_elsewhere else self.name

    def _withheld_from(self, answer: Answer) -> str:
        names = withheld(self._start.headers, answer.request.headers)
        if answer.status not in (401, 403, 404):  # of what not everybody may see some say that it is not there
            return ""
        start = self._start.url
        sent_to = f"{', '.join(names)} went to {start.scheme}://{start.host_port} only" if names else ""
        asked = unspoken_schemes(answer.headers.joined("WWW-Authenticate")) if answer.status == 401 else ""
        return "; ".join(part for part in (sent_to, asked and f"it asks for {asked}") if part)

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


def _is_usable_start(answer: Answer, content_range: ContentRange) -> bool:
    """A 206 that proves ranges: it starts at 0, has a total, and is not compressed on the way. It may be shorter than
    what was asked for, but not by so much that reading would be nothing but asking."""
    total, end = content_range.total, content_range.end
    if content_coding(answer.headers.joined("Content-Encoding")) or content_range.start != 0 or end is None:
        return False
    return total is not None and min(total, _LEAST_PIECE) <= end + 1 <= min(total, HEAD_SIZE)


def _range_defect(answer: Answer, content_range: ContentRange | None, offset: int, end: int) -> str:
    """Why ``answer`` does not hold the front of [offset, end); empty when it does."""
    if answer.status != 206:
        return "the range was ignored" if answer.status == 200 else "the range was refused"
    if content_range is None or content_range.end is None:
        return "no Content-Range"
    start, last = content_range.start, content_range.end
    # Less than was asked for is an answer (RFC 9110, 15.3.7), as long as asking again for the rest gets anywhere.
    if start != offset or not min(offset + _LEAST_PIECE, end) <= last + 1 <= end:
        return f"Content-Range {start}-{last} instead of {offset}-{end - 1}"
    if content_coding(answer.headers.joined("Content-Encoding")):
        return "compressed on the way"
    if answer.head.length not in (None, last + 1 - offset):
        return f"Content-Length {answer.head.length} instead of {last + 1 - offset}"
    return ""


def _address_of(start: Address, answer: Answer) -> Address:
    return Address(answer.url, answer.request.headers, start.expires_s)


def _version_of(headers: Fields, size: int | None) -> Validators:
    return Validators(size, strong_etag(headers.get("ETag")), known_date(headers.get("Last-Modified")))
