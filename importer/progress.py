"""Progress of one import: counted by worker threads, read as snapshots by whoever shows it.

Percent is monotonic within an attempt, never over 100, and 100 only after the disk is published (fsync included).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cdi.base.units import human_duration, human_size
from cdi.base.wire.progress import ProgressLine


class Stage(Enum):
    PROBING = "Probing"
    FETCHING = "Fetching"
    SENDING = "Sending"
    VERIFYING = "Verifying"
    CONVERTING = "Converting"
    FLUSHING = "Flushing"
    DONE = "Done"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``bytes_*`` are transferred bytes; total None when the source does not say. ``rate_bps`` is bytes per second."""

    stage: Stage
    bytes_done: int
    bytes_total: int | None
    percent: float | None
    rate_bps: float
    eta_s: float | None
    elapsed_s: float
    durable: int = 0  # bytes of disk that would survive a power cut
    record: str = ""  # of a device: which ones, for another process

    def told(self) -> ProgressLine:
        """As a worker tells it."""
        return ProgressLine(
            stage=self.stage.value,
            bytes_done=self.bytes_done,
            bytes_total=self.bytes_total,
            percent=None if self.percent is None else round(self.percent, 2),
            rate_bps=round(self.rate_bps),
            eta_seconds=None if self.eta_s is None else round(self.eta_s),
            durable=self.durable,
            record=self.record,
        )


class Progress:
    """Thread-safe counters. ``clock`` gives seconds, monotonic."""

    _RATE_WINDOW_S = 10.0  # the rate shown is a moving average over about this long

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stage = Stage.PROBING
        self._done = 0
        self._kept = 0
        self._total: int | None = None
        self._percent = 0.0
        self._started = clock()
        self._rate = 0.0
        self._rate_at = self._started
        self._rate_done = 0
        self.durable = 0
        self.record = ""

    def start_again(self) -> None:
        """From byte 0: nothing of what was received counts any more."""
        with self._lock:
            self._done = self._kept = self._rate_done = 0
            self._total, self._percent = None, 0.0
            self.durable, self.record = 0, ""

    def enter(self, stage: Stage) -> None:
        with self._lock:
            self._stage = stage

    def expect(self, total: int | None, kept: int = 0) -> None:
        """``total`` transferred bytes make the whole; ``kept`` of them came from an earlier attempt."""
        with self._lock:
            self._total = total
            self._kept = kept

    def spare(self, count: int) -> None:
        """``count`` more transferred bytes turned out to be kept from an earlier attempt."""
        with self._lock:
            self._kept += count

    def fetched(self, count: int) -> None:
        with self._lock:
            self._done += count

    @property
    def bytes_fetched(self) -> int:
        """Bytes received in this attempt."""
        return self._done

    def snapshot(self) -> Snapshot:
        with self._lock:
            now = self._clock()
            self._update_rate(now)
            done = self._done + self._kept
            if self._total is not None:
                done = min(done, self._total)
            eta = (self._total - done) / self._rate if self._total is not None and self._rate > 0 else None
            if eta is not None and eta > _LONGEST_ETA_S:
                eta = None
            return Snapshot(
                stage=self._stage,
                bytes_done=done,
                # What an image leaves unused is never fetched: how much that is shows at the end.
                bytes_total=done if self._stage is Stage.DONE else self._total,
                percent=self._current_percent(done),
                rate_bps=self._rate,
                eta_s=eta,
                elapsed_s=now - self._started,
                durable=self.durable,
                record=self.record,
            )

    def _current_percent(self, done: int) -> float | None:
        if self._stage is Stage.DONE:
            return 100.0
        if self._total is None:
            return None
        if self._total:
            # 99.99 until the disk is whole: a person reads 100 as "ready".
            self._percent = max(self._percent, min(99.99, 100.0 * done / self._total))
        return self._percent

    def _update_rate(self, now: float) -> None:
        interval = now - self._rate_at
        if interval < 0.2:
            return
        sample = (self._done - self._rate_done) / interval
        weight = min(1.0, interval / self._RATE_WINDOW_S) if self._rate else 1.0
        self._rate += (sample - self._rate) * max(weight, 0.1)
        self._rate_at, self._rate_done = now, self._done


_LONGEST_ETA_S = 100 * 3600.0  # what seems to take longer has only begun, or stands still
_BAR_WIDTH = 24


def bar(percent: float | None, width: int = _BAR_WIDTH) -> str:
    """``[#########               ]``, or a bar without a claim when the total is unknown."""
    if percent is None:
        return "[" + "?".center(width, "-") + "]"
    filled = int(width * percent / 100)
    return "[" + "#" * filled + " " * (width - filled) + "]"


def line(snapshot: Snapshot) -> str:
    """One line for people: ``Fetching  [####    ]  42.1 %  480 MiB of 1.1 GiB  812 MiB/s  ETA 0.8 s``."""
    parts = [f"{snapshot.stage.value:<10}", bar(snapshot.percent)]
    if snapshot.percent is not None:
        parts.append(f"{math.floor(snapshot.percent * 10) / 10:5.1f} %")  # 99.99 is not 100 yet
    amount = human_size(snapshot.bytes_done)
    parts.append(f"{amount} of {human_size(snapshot.bytes_total)}" if snapshot.bytes_total is not None else amount)
    if snapshot.rate_bps and snapshot.stage in (Stage.FETCHING, Stage.SENDING):
        parts.append(f"{human_size(snapshot.rate_bps)}/s")
        if snapshot.eta_s is not None:
            parts.append(f"ETA {human_duration(snapshot.eta_s)}")
    return "  ".join(parts)
