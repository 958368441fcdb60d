"""What a running server takes from CDIConfig whenever that changes: the terms of TLS, and how much it logs."""

from __future__ import annotations

import logging
import ssl

from cdi.api.cdiconfig import CDIConfig
from cdi.api.tlsprofile import terms_of
from cdi.base.tls import set_terms
from cdi.base.verbosity import level_of


def adopt_terms(context: ssl.SSLContext, _: CDIConfig | None, config: CDIConfig | None) -> None:
    """Follows a store: for the handshakes after each change of the configuration."""
    set_terms(context, terms_of(config.spec.tls_security_profile if config is not None else None))


def adopt_verbosity(started_with: int, _: CDIConfig | None, config: CDIConfig | None) -> None:
    """Follows a store, at once: there is no operator that would start our pods anew with another ``-v``."""
    said = config.spec.log_verbosity if config is not None else None
    logging.getLogger().setLevel(level_of(started_with if said is None else said))
