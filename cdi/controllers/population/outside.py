"""What the population knows beside its stores."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.kube.client import Client
from cdi.trust.clone_rights import Verify


@dataclass(frozen=True)
class Outside:
    """``verify``: of clone tokens."""

    client: Client
    verify: Verify
