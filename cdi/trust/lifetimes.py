"""How long certificates live: ``CDI.spec.certConfig``, with the contract's defaults. Pure."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from cdi.api.cdi import CDI, CertSection
from cdi.base.printable import excerpt

_HOUR = datetime.timedelta(hours=1)
_LEAST = datetime.timedelta(minutes=1)  # certificates are looked at twice as often
_MOST_S = 100 * 365 * 86400  # what a certificate can say ends with the year 9999
SHARE = 0.8  # of its life, after which a certificate is replaced whatever else is said (the contract)

# A time.Duration as Go writes it, such as 1h30m or 1.5h.
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = 64  # characters: 876000h0m0s has 11
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Lifetime:
    """``refresh``: how old it gets."""

    duration: datetime.timedelta
    refresh: datetime.timedelta

    def is_over(self, issued: datetime.datetime, ends: datetime.datetime, now: datetime.datetime) -> bool:
        """Whether what was issued then and ends then is to be replaced."""
        return now >= issued + min(self.refresh, (ends - issued) * SHARE)

    def __str__(self) -> str:
        """The contract's annotation."""
        return f'{{"lifetime":"{_written(self.duration)}","refresh":"{_written(self.refresh)}"}}'


CA = Lifetime(48 * _HOUR, 24 * _HOUR)
SERVER = Lifetime(24 * _HOUR, 12 * _HOUR)
CLIENT = Lifetime(24 * _HOUR, 12 * _HOUR)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """``complaint``: what of the configuration does not count, and why."""

    ca: Lifetime = CA
    server: Lifetime = SERVER
    complaint: str = ""
    client: Lifetime = CLIENT


def lifetimes(system: CDI | None) -> Lifetimes:
    """A section counts as a whole: with one of its two values it is the default (the contract)."""
    said = system.spec.cert_config if system is not None else None
    if said is None:
        return Lifetimes()
    complaints: list[str] = []
    ca = _lifetime(said.ca, CA, "ca", complaints)
    server = _lifetime(said.server, SERVER, "server", complaints)
    client = _lifetime(said.client, CLIENT, "client", complaints)
    return Lifetimes(ca, server, "; ".join(complaints), client)


def _lifetime(said: CertSection | None, default: Lifetime, name: str, complaints: list[str]) -> Lifetime:
    if said is None or not (said.duration and said.renew_before):
        return default
    try:
        duration, before = duration_of(said.duration), duration_of(said.renew_before)
    except ValueError as error:
        complaints.append(f"certConfig.{name}: {error}: {default} counts")
        return default
    if not _LEAST <= before < duration:
        range_ = f"renewBefore {said.renew_before} is not between 1m and duration {said.duration}"
        complaints.append(f"certConfig.{name}: {range_}: {default} counts")
        return default
    return Lifetime(duration, duration - before)


def duration_of(text: str) -> datetime.timedelta:
    """Of ``1h30m``. Raises ValueError with a sentence that names the text, also for what is negative."""
    seconds, at = 0.0, 0
    while at < len(text) <= _LONGEST and (part := _PART.match(text, at)):
        seconds, at = seconds + float(part[1]) * _UNITS[part[2]], part.end()
    if not text or at < len(text):
        raise ValueError(f"{excerpt(text)!r} is not a duration such as 48h or 1h30m")
    if seconds > _MOST_S:
        raise ValueError(f"{text!r} is longer than 100 years")
    return datetime.timedelta(seconds=seconds)


def _written(span: datetime.timedelta) -> str:
    """As Go writes it: 48h0m0s, 5m0s, 1.5s."""
    minutes, seconds = divmod(span.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    rest = f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{rest}"
    return f"{minutes}m{rest}" if minutes else rest
