"""The key of tokens, in the Secret ``cdi-api-signing-key``: made when it is missing, and then never again."""

from __future__ import annotations

import base64

from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists
from cdi.kube.objects import Secret
from cdi.kube.resources import SECRETS
from cdi.trust.tokens import Signer, key_pair

NAME = "cdi-api-signing-key"
_PRIVATE, PUBLIC = "id_rsa", "id_rsa.pub"
_LABELS = {"cdi.kubevirt.io": "keystore"}


async def signer(client: Client, namespace: str) -> Signer:
    """Raises ApiError, and ValueError for a Secret that holds no key: tokens that others verify must not change."""
    secret = await client.find(SECRETS, NAME, namespace) or await _made(client, namespace)
    return Signer(secret.data.get(_PRIVATE, b""))


async def _made(client: Client, namespace: str) -> Secret:
    pair = key_pair()
    data = {name: base64.b64encode(pem).decode() for name, pem in ((_PRIVATE, pair.private), (PUBLIC, pair.public))}
    metadata = {"name": NAME, "namespace": namespace, "labels": _LABELS}
    try:
        return await client.create(SECRETS, {"metadata": metadata, "type": "Opaque", "data": data})
    except AlreadyExists:  # by another pod
        return await client.get(SECRETS, NAME, namespace)
