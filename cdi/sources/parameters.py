"""What an import is told, whatever its source is. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Parameters:
    """``source``: the contract's word (``none`` is blank). ``secret_headers``: names of Secrets. ``own``: what only
    this source has, as annotations and their values."""

    source: str
    endpoint: str = ""
    secret: str = ""
    cert_config_map: str = ""
    checksum: str = ""
    insecure: bool = False
    headers: tuple[str, ...] = ()
    secret_headers: tuple[str, ...] = ()
    archive: bool = False
    preallocation: bool = False
    own: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """Tells whether a worker, or a failure, is of these parameters.

        Workers and failures outlive this version of the controller: what was always hashed is hashed for ever, and a
        member that came later only where it says something. Else an upgrade would start every running import anew.
        """
        defaults = {item.name: item.default for item in fields(self)}
        said = {
            name: value for name, value in asdict(self).items() if name in _HASHED_ALWAYS or value != defaults[name]
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


# The members of the first version.
_HASHED_ALWAYS = frozenset(
    (
        "source",
        "endpoint",
        "secret",
        "cert_config_map",
        "checksum",
        "insecure",
        "headers",
        "secret_headers",
        "archive",
        "preallocation",
    )
)
