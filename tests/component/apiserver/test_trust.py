"""Certificates are made, renewed and trusted, and no request of anybody is lost meanwhile."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from support.apiserver import ApiServer
from support.asynchronous import asynchronous
from support.manifests import claim, datavolume
from support.ports import free_port
from support.webhooks import NAMESPACE, Kubectl, install

from cdi.api.cdi import CDI
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.server import application
from cdi.apiserver.trust import Trust
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.resources import CONFIG_MAPS, SECRETS
from cdi.kube.store import Key, Store
from cdi.serving.leaving import Leaving
from cdi.serving.listening import serve
from cdi.trust import certificates
from cdi.trust.certificates import Pair
from cdi.trust.chains import APISERVER
from cdi.trust.configured import Configured
from cdi.trust.lifetimes import CA
from cdi.trust.lifetimes import SERVER as SERVERS
from cdi.trust.stated import CONFIG, NOT_AFTER, NOT_BEFORE
from cdi.trust.tokens import Permit

PORT = free_port()
SIGNER, SERVER, BUNDLE = APISERVER.signer, APISERVER.target, APISERVER.bundle
NAMES = ["cdi-api.cdi.svc", "127.0.0.1"]
H = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def installed(api: ApiServer, kubectl: Kubectl) -> ApiServer:
    install(kubectl, f"https://127.0.0.1:{PORT}")
    return api


def unsigned(permit: Permit, now: datetime.datetime) -> str:
    return "token"


@asynccontextmanager
async def serving(api: ApiServer, systems: Store[CDI] | None = None) -> AsyncIterator[tuple[Client, Trust]]:
    async with Client(load(str(api.kubeconfig()))) as client:
        trust = Trust(client, NAMESPACE, NAMES, Configured(Store() if systems is None else systems))
        await trust.renew()
        runner: web.AppRunner = await serve(
            application(Lookup(client), unsigned, Leaving()), trust.handshakes.context, "127.0.0.1", PORT
        )
        try:
            yield client, trust
        finally:
            await runner.cleanup()


async def is_asked(client: Client) -> None:
    """A DataVolume can be created, for which two webhooks are asked."""
    body = datavolume("disk", {"blank": {}}, pvc=claim("1Gi"))
    await client.create(DATA_VOLUMES, body, "default")
    await client.delete(DATA_VOLUMES, "disk", "default")


async def served() -> bytes:
    """What a new connection is shown."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", PORT, ssl=unverified)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(shown).fingerprint(hashes.SHA256())


async def said(client: Client, name: str) -> dict[str, str]:
    return (await client.get(SECRETS, name, NAMESPACE)).metadata.annotations


async def pair(client: Client, name: str) -> Pair:
    data = (await client.get(SECRETS, name, NAMESPACE)).data
    return Pair(data["tls.crt"], data["tls.key"])


async def put(client: Client, name: str, made: Pair) -> None:
    parts = {"tls.crt": made.certificate, "tls.key": made.key}
    data = {key: base64.b64encode(part).decode() for key, part in parts.items()}
    await client.merge_patch(SECRETS, name, {"data": data}, namespace=NAMESPACE)


@asynchronous
async def test_what_is_missing_is_made_and_what_is_sound_stays(installed: ApiServer) -> None:
    async with serving(installed) as (client, trust):
        await is_asked(client)
        signer, server = await pair(client, SIGNER), await pair(client, SERVER)
        assert (await client.get(SECRETS, SERVER, NAMESPACE)).type == "kubernetes.io/tls"
        bundle = (await client.get(CONFIG_MAPS, BUNDLE, NAMESPACE)).data["ca-bundle.crt"]
        assert bundle.encode() == signer.certificate
        await trust.renew()
        assert (await pair(client, SIGNER), await pair(client, SERVER)) == (signer, server)


@asynchronous
async def test_a_due_certificate_is_replaced_while_it_serves(installed: ApiServer) -> None:
    async with serving(installed) as (client, trust):
        before = await served()
        now = datetime.datetime.now(datetime.UTC)
        old = certificates.server(await pair(client, SIGNER), NAMES, SERVERS.duration, now - 13 * H)
        await put(client, SERVER, old)
        await trust.renew()
        assert await served() != before
        await is_asked(client)


@asynchronous
async def test_a_due_authority_is_replaced_and_both_are_trusted(installed: ApiServer) -> None:
    async with serving(installed) as (client, trust):
        now = datetime.datetime.now(datetime.UTC)
        old = certificates.authority("cdi-apiserver", CA.duration, now - 25 * H)
        await put(client, SIGNER, old)
        await put(client, SERVER, certificates.server(old, NAMES, SERVERS.duration, now - 1 * H))
        await trust.renew()
        before = await served()
        new = await pair(client, SIGNER)
        assert new != old
        bundle = (await client.get(CONFIG_MAPS, BUNDLE, NAMESPACE)).data["ca-bundle.crt"].encode()
        assert bundle.startswith(new.certificate)
        await is_asked(client)
        await trust.renew()
        assert await served() == before


@pytest.mark.parametrize("name", [SIGNER, SERVER])
@asynchronous
async def test_a_secret_that_somebody_broke_is_mended(installed: ApiServer, name: str) -> None:
    async with serving(installed) as (client, trust):
        for broken in (Pair(b"nonsense", b"nonsense"), Pair((await pair(client, name)).certificate, b"nonsense")):
            await put(client, name, broken)
            await trust.renew()
            assert certificates.is_pair(await pair(client, name))
            await is_asked(client)


@asynchronous
async def test_a_configuration_that_forgot_whom_to_trust_is_mended(installed: ApiServer, kubectl: Kubectl) -> None:
    async with serving(installed) as (client, trust):
        forget = '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]'
        what = "validatingwebhookconfiguration/cdi-api-datavolume-validate"
        kubectl.done("patch", what, "--type=json", "-p", forget)
        await trust.renew()
        assert kubectl.get(what)["webhooks"][0]["clientConfig"]["caBundle"]
        await is_asked(client)


@pytest.mark.parametrize("name", [SIGNER, SERVER])
@asynchronous
async def test_a_certificate_whose_life_was_cut_is_replaced(installed: ApiServer, name: str) -> None:
    async with serving(installed) as (client, trust):
        before = await pair(client, name)
        cut = {NOT_AFTER: (await said(client, name))[NOT_BEFORE]}
        await client.merge_patch(SECRETS, name, {"metadata": {"annotations": cut}}, namespace=NAMESPACE)
        signed = certificates.span((await pair(client, SIGNER)).certificate)[0]
        soon = max(signed, datetime.datetime.now(datetime.UTC)) + certificates.NOTICED_SOON
        await trust.renew(soon)
        assert await pair(client, name) != before
        assert datetime.datetime.fromisoformat((await said(client, name))[NOT_AFTER]) > soon
        bundle = (await client.get(CONFIG_MAPS, BUNDLE, NAMESPACE)).data["ca-bundle.crt"].encode()
        assert (await pair(client, SIGNER)).certificate in bundle
        await is_asked(client)


def lasting(**sections: tuple[str, str]) -> CDI:
    said = {name: {"duration": life, "renewBefore": before} for name, (life, before) in sections.items()}
    return msgspec.convert({"metadata": {"name": "cdi"}, "spec": {"certConfig": said}}, CDI)


@asynchronous
async def test_other_lifetimes_count_at_once_and_no_request_is_lost(installed: ApiServer) -> None:
    systems: Store[CDI] = Store()
    async with serving(installed, systems) as (client, trust):
        began = datetime.datetime.now(datetime.UTC)
        running = asyncio.create_task(trust.run())
        systems.put(Key("", "cdi"), lasting(ca=("20m", "10m"), server=("5m", "2m")), "1")
        async with asyncio.timeout(20):
            while '"20m0s"' not in (await said(client, SIGNER))[CONFIG]:  # noqa: ASYNC110 - each look is a request
                await asyncio.sleep(0.05)
        running.cancel()
        await is_asked(client)
        signed = certificates.span((await pair(client, SIGNER)).certificate)[0]
        await trust.renew(signed + certificates.NOTICED_SOON)
        await is_asked(client)
        for name, minutes in ((SIGNER, 20), (SERVER, 5)):
            found = await said(client, name)
            issued, ends = (datetime.datetime.fromisoformat(found[key]) for key in (NOT_BEFORE, NOT_AFTER))
            assert issued >= began
            assert ends - issued == datetime.timedelta(minutes=minutes)
        before = await served()
        await trust.renew()
        assert await served() == before
