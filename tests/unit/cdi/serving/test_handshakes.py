"""Real handshakes on loopback, with asyncio as our servers have it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from support.asynchronous import asynchronous
from support.certificates import Authority, Pair

from cdi.api.cdiconfig import CDIConfig
from cdi.serving.handshakes import Handshakes, client_of

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@dataclass(frozen=True)
class Known:
    """Authorities of servers, of clients, and of other clients; and who has a certificate of which."""

    servers: Authority
    ours: Authority
    others: Authority
    server: Pair
    renamed: Pair
    client: Pair
    stranger: Pair


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("authorities")
    servers, ours, others = (Authority(folder / name, name) for name in ("servers", "ours", "others"))
    shown = servers.issue("server"), servers.issue("other", "DNS:cdi-api.cdi.svc")
    return Known(servers, ours, others, *shown, ours.issue("front"), others.issue("front"))


class Place:
    """A server that believes ``ours``."""

    def __init__(self, known: Known) -> None:
        self.servers, self.ours, self.others = known.servers, known.ours, known.others
        self.client, self.stranger = known.client, known.stranger
        self.handshakes = Handshakes()
        self.show(known.server)
        self.believe(self.ours)

    def show(self, pair: Pair) -> None:
        self.handshakes.show(pair.cert.read_bytes(), pair.key.read_bytes())

    def believe(self, *authorities: Authority) -> None:
        self.handshakes.believe("".join(one.cert.read_text() for one in authorities))


@pytest.fixture
def place(known: Known) -> Place:
    return Place(known)


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[int]:
    """Tells each client what it is called."""

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = client_of(writer.get_extra_info("ssl_object"))
        writer.write(b"nobody" if name is None else name.encode())
        writer.close()

    server = await asyncio.start_server(tell, "127.0.0.1", 0, ssl=place.handshakes.context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def client(place: Place, pair: Pair | None, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(place.servers.cert))
    context.minimum_version = context.maximum_version = version
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


async def greeted(port: int, context: ssl.SSLContext, name: str | None = None) -> str:
    """What the server called us; ``refused`` where it ended the handshake."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        said = (await reader.read()).decode()
        writer.close()
    except (ssl.SSLError, ConnectionError):
        return "refused"
    return said or "refused"  # TLS 1.3: the client has ended its part before its certificate is looked at


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@asynchronous
async def test_a_client_is_who_its_certificate_says(place: Place, version: ssl.TLSVersion) -> None:
    async with serving(place) as port:
        assert await greeted(port, client(place, place.client, version)) == "front"
        assert await greeted(port, client(place, None, version)) == "nobody"
        assert await greeted(port, client(place, place.stranger, version)) == "refused"


@asynchronous
async def test_an_authority_in_the_middle_is_believed_by_itself(place: Place, tmp_path: Path) -> None:
    middle = Authority(tmp_path, "middle", place.others)
    async with serving(place) as port:
        place.believe(middle)
        assert await greeted(port, client(place, middle.issue("front"), VERSIONS[1])) == "front"
        assert await greeted(port, client(place, place.stranger, VERSIONS[1])) == "refused"


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@asynchronous
async def test_whom_it_believes_changes_with_the_next_handshake(place: Place, version: ssl.TLSVersion) -> None:
    async with serving(place) as port:
        old, new = client(place, place.client, version), client(place, place.stranger, version)
        place.believe(place.ours, place.others)
        assert (await greeted(port, old), await greeted(port, new)) == ("front", "front")
        place.believe(place.others)
        assert (await greeted(port, old), await greeted(port, new)) == ("refused", "front")
        place.believe()
        assert (await greeted(port, new), await greeted(port, client(place, None, version))) == ("refused", "nobody")


@pytest.mark.parametrize("broken", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ä"])
@asynchronous
async def test_what_is_no_authority_changes_nothing(
    place: Place, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(place) as port:
        place.handshakes.believe(broken)
        assert "cannot be read" in caplog.text
        assert await greeted(port, client(place, place.client, VERSIONS[1])) == "front"


@asynchronous
async def test_a_session_that_is_taken_up_again_is_nobody_s(place: Place) -> None:
    """It would else be believed whose authority is gone."""
    loop, context = asyncio.get_running_loop(), client(place, place.client, VERSIONS[0])
    async with serving(place) as port:
        said, session = await loop.run_in_executor(None, _resumed, context, port, None)
        assert said == b"front"
        place.believe(place.others)
        said, _ = await loop.run_in_executor(None, _resumed, context, port, session)
        assert said == b"nobody"


def _resumed(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None]:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as connection,
    ):
        return connection.recv(100), connection.session


@asynchronous
async def test_another_certificate_is_shown_with_the_next_handshake(place: Place, known: Known) -> None:
    async with serving(place) as port:
        place.show(known.renamed)
        context = client(place, place.client, VERSIONS[1])
        assert await greeted(port, context, "127.0.0.1") == "refused"
        assert await greeted(port, context, "cdi-api.cdi.svc") == "front"
        with pytest.raises(ssl.SSLError):
            place.handshakes.show(b"nonsense", b"nonsense")
        assert await greeted(port, context, "cdi-api.cdi.svc") == "front"


@asynchronous
async def test_the_terms_change_with_the_next_handshake(place: Place) -> None:
    async with serving(place) as port:
        older = client(place, place.client, VERSIONS[0])
        for profile, answer in (("Modern", "refused"), ("Intermediate", "front")):
            spec = {"spec": {"tlsSecurityProfile": {"type": profile}}}
            place.handshakes.adopt_config(None, msgspec.convert(spec, CDIConfig))
            assert await greeted(port, older) == answer
        chosen = {"type": "Custom", "custom": {"minTLSVersion": "VersionTLS12", "ciphers": [SUITE]}}
        place.handshakes.adopt_config(None, msgspec.convert({"spec": {"tlsSecurityProfile": chosen}}, CDIConfig))
        assert await greeted(port, older) == "front"
        older.set_ciphers(OTHER)
        assert await greeted(port, older) == "refused"


SUITE, OTHER = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"
