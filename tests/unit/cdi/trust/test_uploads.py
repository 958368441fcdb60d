"""Certificates of uploads over days: whoever is used at any moment is believed by whoever verifies it."""

from __future__ import annotations

import datetime
import functools
import random
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from cryptography import x509
from support.asynchronous import asynchronous
from support.memoryobjects import MemoryObjects

from cdi.api.cdi import CDI
from cdi.kube.errors import Forbidden
from cdi.kube.resources import CONFIG_MAPS, SECRETS
from cdi.kube.store import Key, Store
from cdi.trust import certificates
from cdi.trust.certificates import Pair
from cdi.trust.chains import UPLOAD_CLIENT, UPLOAD_CLIENT_NAME, UPLOAD_PROXY, UPLOAD_SERVER, Chain
from cdi.trust.configured import Configured
from cdi.trust.stated import HOSTNAMES, NOT_AFTER, NOT_BEFORE
from cdi.trust.uploads import Uploads
from cdi.trust.uploadserver import Identity, authorities, identity

T0 = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
H = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)


is_signed_by = functools.cache(certificates.is_signed_by)


@dataclass
class System:
    """A cluster with its clock. ``sections``: of certConfig, duration and renewBefore."""

    sections: dict[str, tuple[str, str]] = field(default_factory=dict)
    now: datetime.datetime = T0
    pods: list[Identity] = field(default_factory=list)

    def __post_init__(self) -> None:
        said = {name: {"duration": life, "renewBefore": before} for name, (life, before) in self.sections.items()}
        systems: Store[CDI] = Store()
        cdi = {"metadata": {"name": "cdi"}, "spec": {"certConfig": said}}
        systems.put(Key("", "cdi"), msgspec.convert(cdi, CDI), "1")
        self.objects: Any = MemoryObjects()
        self.lives = Configured(systems)
        self.uploads = Uploads(self.objects, "cdi", self.lives)

    async def renew(self, now: datetime.datetime) -> None:
        self.now = now
        await self.uploads.renew(now)
        found = await authorities(self.objects, "cdi")
        self.pods = [pod for pod in self.pods if pod.deadline > now]
        self.pods.append(identity(found, "cdi-upload-disk", "team", self.lives.lifetimes, now))

    async def pair(self, name: str) -> Pair:
        data = (await self.objects.get(SECRETS, name)).data
        return Pair(data["tls.crt"], data["tls.key"])

    async def bundle(self, chain: Chain) -> bytes:
        return (await self.objects.get(CONFIG_MAPS, chain.bundle)).data["ca-bundle.crt"].encode()

    async def cut(self, name: str) -> None:
        """As a person does it who wants another certificate."""
        said = (await self.objects.get(SECRETS, name)).metadata.annotations
        await self.objects.merge_patch(SECRETS, name, {"metadata": {"annotations": {NOT_AFTER: said[NOT_BEFORE]}}})

    async def everybody_is_believed(self) -> None:
        """The proxy by every pod that may still live, and every such pod by the proxy."""
        proxy, servers = await self.pair(UPLOAD_CLIENT.target), await self.bundle(UPLOAD_SERVER)
        for pod in self.pods:
            assert self._is_believed(proxy.certificate, pod.clients), self.now
            assert self._is_believed(pod.certificate, servers), self.now

    def _is_believed(self, certificate: bytes, bundle: bytes) -> bool:
        valid = certificates.still_valid(certificates.split(bundle), self.now)
        return self.now < certificates.span(certificate)[1] and any(is_signed_by(certificate, one) for one in valid)


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"ca": ("20m", "10m"), "server": ("5m", "2m"), "client": ("5m", "2m")},
        {"ca": ("48h", "24h"), "server": ("72h", "12h"), "client": ("72h", "36h")},
        {"ca": ("100h", "30h"), "server": ("9h", "1h"), "client": ("24h", "7h")},
        {"ca": ("3h", "1h"), "server": ("24h", "12h"), "client": ("24h", "12h")},
    ],
    ids=["as installed", "short", "longer than their authority", "odd", "a hasty authority"],
)
@asynchronous
async def test_proxy_and_pods_believe_each_other_at_every_moment(sections: dict[str, tuple[str, str]]) -> None:
    system = System(sections)
    await system.renew(T0)
    life = system.lives.lifetimes.ca.duration
    seen = set()
    for step in range(1, 85):
        await system.renew(T0 + step * life / 14)
        await system.everybody_is_believed()
        seen.add((await system.pair(UPLOAD_CLIENT.signer)).certificate)
    assert len(seen) > 5


@pytest.mark.parametrize("seed", range(3))
@asynchronous
async def test_also_when_somebody_cuts_the_lives_of_authorities_up_to_twice_a_day(seed: int) -> None:
    system, chance = System(), random.Random(seed)
    await system.renew(T0)
    for day in range(6):
        cuts = [(chance.randrange(24), chain) for chain in (UPLOAD_CLIENT, UPLOAD_SERVER) for _ in range(day % 2 * 2)]
        for hour in range(24):
            for _, chain in (cut for cut in cuts if cut[0] == hour):
                await system.cut(chain.signer)
            await system.renew(T0 + (24 * day + hour + 1) * H)
            await system.everybody_is_believed()


@pytest.mark.parametrize("chain", [UPLOAD_PROXY, UPLOAD_SERVER, UPLOAD_CLIENT], ids=lambda chain: chain.name)
@asynchronous
async def test_an_authority_whose_life_was_cut_is_replaced_and_stays_trusted(chain: Chain) -> None:
    system = System()
    await system.renew(T0)
    before = await system.pair(chain.signer)
    await system.renew(T0 + H)
    assert await system.pair(chain.signer) == before
    await system.cut(chain.signer)
    await system.renew(T0 + H + MINUTE)
    after = await system.pair(chain.signer)
    assert after != before and certificates.is_pair(after)
    assert await system.bundle(chain) == after.certificate + before.certificate


@pytest.mark.parametrize("chain", [UPLOAD_PROXY, UPLOAD_CLIENT], ids=lambda chain: chain.name)
@asynchronous
async def test_a_certificate_whose_life_was_cut_is_replaced(chain: Chain) -> None:
    system = System()
    await system.renew(T0)
    before = await system.pair(chain.target)
    await system.cut(chain.target)
    await system.renew(T0 + MINUTE)
    after = await system.pair(chain.target)
    assert after != before
    assert certificates.is_signed_by(after.certificate, (await system.pair(chain.signer)).certificate)


@asynchronous
async def test_the_proxy_is_a_client_by_the_contract_s_name_and_a_server_by_those_of_its_service() -> None:
    system = System()
    await system.renew(T0)
    found = x509.load_pem_x509_certificate((await system.pair(UPLOAD_CLIENT.target)).certificate)
    assert [part.value for part in found.subject] == [UPLOAD_CLIENT_NAME]
    served = await system.objects.get(SECRETS, UPLOAD_PROXY.target)
    assert served.type == "kubernetes.io/tls"
    assert served.metadata.annotations[HOSTNAMES] == "cdi-uploadproxy,cdi-uploadproxy.cdi,cdi-uploadproxy.cdi.svc"
    alternatives = x509.load_pem_x509_certificate(served.data["tls.crt"]).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert alternatives.value.get_values_for_type(x509.DNSName) == [
        "cdi-uploadproxy",
        "cdi-uploadproxy.cdi",
        "cdi-uploadproxy.cdi.svc",
    ]


@asynchronous
async def test_a_broken_secret_of_one_chain_is_mended_and_keeps_no_other_one_from_its_turn() -> None:
    system = System()
    await system.renew(T0)
    for name in (UPLOAD_PROXY.signer, UPLOAD_CLIENT.target):
        system.objects.bodies["secrets", name]["data"] = {"tls.crt": "AAAA", "tls.key": ""}
    await system.renew(T0 + MINUTE)
    for name in (*UPLOAD_PROXY.secrets, *UPLOAD_CLIENT.secrets, *UPLOAD_SERVER.secrets):
        assert certificates.is_pair(await system.pair(name))


@asynchronous
async def test_what_is_in_the_way_of_one_chain_is_said_and_the_others_have_their_turn(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System()
    find = system.objects.find

    async def refused(resource: Any, name: str, namespace: str = "") -> Any:
        if name == UPLOAD_PROXY.signer:
            raise Forbidden(403, "Forbidden", "no right to get this")
        return await find(resource, name, namespace)

    monkeypatch.setattr(system.objects, "find", refused)
    await system.renew(T0)
    assert "the certificates of cdi-uploadproxy are not checked: no right to get this" in caplog.messages
    assert {name for _, name in system.objects.bodies} == {
        *UPLOAD_SERVER.secrets,
        *UPLOAD_CLIENT.secrets,
        UPLOAD_SERVER.bundle,
        UPLOAD_CLIENT.bundle,
    }
