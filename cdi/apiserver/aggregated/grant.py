"""Upload tokens for whoever may ask for them."""

from __future__ import annotations

import datetime
from typing import Any, Protocol

from cdi.api.uploadtoken import GROUP, KIND, PLURAL, VERSION
from cdi.apiserver.aggregated.asked import Asked
from cdi.apiserver.aggregated.discovery import GROUP_VERSION
from cdi.apiserver.aggregated.status import Refusal
from cdi.apiserver.lookup import Lookup, Right
from cdi.base.printable import excerpt
from cdi.base.upload_permits import UploadPermit
from cdi.kube.resources import CLAIMS, CONFIG_MAPS
from cdi.kube.reviews import UserInfo
from cdi.trust.chains import BUNDLE_KEY, UPLOAD_SERVER


class Sign(Protocol):
    def __call__(self, permit: UploadPermit, *, now: datetime.datetime) -> str: ...


async def authorize(lookup: Lookup, user: UserInfo, namespace: str) -> None:
    """Raises Refusal, and what a lookup raises."""
    if await lookup.may(user, Right(namespace, PLURAL, GROUP, version=VERSION)):
        return
    raise Refusal(
        403,
        f'{PLURAL}.{GROUP} is forbidden: User "{excerpt(user.username)}" cannot create resource "{PLURAL}" '
        f'in API group "{GROUP}" in the namespace "{namespace}"',
    )


async def answered(lookup: Lookup, sign: Sign, asked: Asked, namespace: str, installed: str) -> dict[str, Any]:
    """What was asked, with its token. The claim may be one that does not exist yet: the token is then for whichever
    comes first. ``installed``: the namespace of the installation. Raises what a lookup raises."""
    claim = await lookup.find(CLAIMS, asked.spec.pvc_name, namespace)
    bundle = await lookup.find(CONFIG_MAPS, UPLOAD_SERVER.bundle, installed)
    uid = claim.metadata.uid if claim is not None else ""
    token = sign(UploadPermit(namespace, asked.spec.pvc_name, uid), now=datetime.datetime.now(datetime.UTC))
    authorities = bundle.data.get(BUNDLE_KEY, "") if bundle is not None else ""
    # Ours, not the contract's: who does not know it leaves it alone.
    more = {"serverAuthorities": authorities} if authorities else {}
    return {
        "kind": KIND,
        "apiVersion": GROUP_VERSION,
        "metadata": asked.metadata,
        "spec": {"pvcName": asked.spec.pvc_name},
        "status": {"token": token, **more},
    }
