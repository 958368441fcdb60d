"""What somebody signs with, and whom he trusts, where the system is installed."""

from __future__ import annotations

import asyncio

from cdi.kube.client import Client
from cdi.kube.resources import CONFIG_MAPS, SECRETS
from cdi.trust import certificates
from cdi.trust.certificates import Pair
from cdi.trust.chains import BUNDLE_KEY, Chain


async def read(client: Client, namespace: str, signing: Chain, trusted: Chain) -> tuple[Pair, bytes]:
    """The authority of ``signing``, and who is ``trusted``, PEM, the newest first, as they are at this moment. Raises
    ApiError: NotFound before they were made, and ValueError for what is no authority, which lasts until it is
    mended."""
    secret, bundle = await asyncio.gather(
        client.get(SECRETS, signing.signer, namespace),
        client.get(CONFIG_MAPS, trusted.bundle, namespace),
    )
    pair = Pair(secret.data.get("tls.crt", b""), secret.data.get("tls.key", b""))
    if not certificates.is_pair(pair):
        raise ValueError(f"Secret {namespace}/{signing.signer} holds no certificate authority")
    return pair, bundle.data.get(BUNDLE_KEY, "").encode()
