"""How much the control plane logs: what the configuration says, else what it was started with."""

from __future__ import annotations

import logging

from cdi.api.cdiconfig import CDIConfig
from cdi.base.verbosity import level_of


def adopt_verbosity(started_with: int, _: CDIConfig | None, config: CDIConfig | None) -> None:
    """Follows a store, at once: there is no operator that would start our pods anew with another ``-v``."""
    said = config.spec.log_verbosity if config is not None else None
    logging.getLogger().setLevel(level_of(started_with if said is None else said))
