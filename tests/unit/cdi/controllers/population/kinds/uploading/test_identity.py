"""What a pod of an upload server is told of its deadline is that of the certificate in its Secret."""

from __future__ import annotations

import base64
import datetime
from typing import cast

import pytest
from support.asynchronous import asynchronous
from support.populationmodel import World

from cdi.base.moments import moment
from cdi.controllers.population.plan import Create, Role
from cdi.controllers.settings import Settings
from cdi.kube.client import Client
from cdi.trust import certificates, uploadserver
from cdi.trust.uploadserver import Authorities

NOW = datetime.datetime.now(datetime.UTC)
DAYS = datetime.timedelta(days=2)
SERVERS, CLIENTS = (certificates.authority(name, DAYS, NOW) for name in ("servers", "clients"))


@asynchronous
async def test_one_signature_serves_the_pod_and_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def authorities(_: Client, namespace: str) -> Authorities:
        asked.append(namespace)
        return Authorities(SERVERS, CLIENTS.certificate)

    monkeypatch.setattr(uploadserver, "authorities", authorities)
    world = World("direct", work="upload")
    world.settle()
    world.bind()
    created = (action.wanted for action in world.reconcile() if isinstance(action, Create))
    (wanted,) = [item for item in created if item.role is Role.WORKER]
    assert wanted.content is not None
    pod = await wanted.content.filled(wanted, cast(Client, None), Settings(namespace="cdi"))
    (secret,) = pod.belongings
    assert asked == ["cdi"]
    assert (pod.content, secret.content) == (None, None)
    told = {item["name"]: item["value"] for item in pod.body["spec"]["containers"][0]["env"]}
    deadline, shown = moment(told["DEADLINE"]), base64.b64decode(secret.body["data"]["tls.crt"])
    assert deadline is not None and NOW < deadline < certificates.span(shown)[1]
    assert certificates.is_signed_by(shown, SERVERS.certificate)
    assert base64.b64decode(secret.body["data"]["ca.crt"]) == CLIENTS.certificate
