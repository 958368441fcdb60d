"""What an upload server shows to its client, and which clients it lets in: signed when its pod is made."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cdi.base.moments import written
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.population.kind import Case
from cdi.controllers.population.missing import no_authority
from cdi.controllers.population.plan import Role, Wanted, with_members
from cdi.controllers.population.pod import completed
from cdi.controllers.settings import Settings
from cdi.kube.client import Client
from cdi.kube.errors import NotFound
from cdi.kube.resources import SECRETS
from cdi.trust import uploadserver
from cdi.trust.lifetimes import Lifetimes
from cdi.trust.uploadserver import Identity


@dataclass(frozen=True, slots=True)
class SignedFor:
    """A server behind ``service`` in ``namespace``."""

    service: str
    namespace: str
    lifetimes: Lifetimes

    async def filled(self, wanted: Wanted, client: Client, settings: Settings) -> Wanted:
        """``wanted``: its Secret."""
        return with_members(wanted, {"data": (await self.identity(client, settings)).data})

    async def identity(self, client: Client, settings: Settings) -> Identity:
        """Raises ApiError: Missing while the authorities are not made, or are none."""
        try:
            found = await uploadserver.authorities(client, settings.namespace)
            now = datetime.datetime.now(datetime.UTC)
            return uploadserver.identity(found, self.service, self.namespace, self.lifetimes, now)
        except (NotFound, ValueError) as error:
            raise no_authority("the upload server", error, settings) from error


@dataclass(frozen=True, slots=True)
class UntilDeadline:
    """A pod whose server has to end before what it shows or trusts does: both are in the Secret that belongs to it."""

    signed: SignedFor

    async def filled(self, wanted: Wanted, client: Client, settings: Settings) -> Wanted:
        identity = await self.signed.identity(client, settings)
        return completed(wanted, {"DEADLINE": written(identity.deadline)}, identity.data)


def signed_for(case: Case) -> SignedFor:
    claim = case.claim.metadata
    return SignedFor(names.upload_service(claim.name), claim.namespace, case.seen.cluster.lifetimes)


def identity_secret(case: Case, *, again: bool = False) -> Wanted:
    """Goes with its pod. Nobody of us may read Secrets where claims are: that there is one already is no error.
    ``again``: its pod waits for long, so somebody may have deleted the one that was made."""
    claim = case.claim.metadata
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.upload(claim.name),
            "namespace": claim.namespace,
            "labels": a.APP | dict(case.seen.settings.labels) | {a.COMPONENT: a.UPLOAD_SERVER},
            "annotations": {a.CREATED_BY_UPLOAD: "yes"},
        },
        "type": "kubernetes.io/tls",
    }
    return Wanted(Role.IDENTITY, SECRETS, body, content=signed_for(case), is_seen=again)
