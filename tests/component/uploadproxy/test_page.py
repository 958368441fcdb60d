"""The page in a real browser, with the real proxy and upload server behind a network that can be cut."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.chromium import Chromium, Page
from support.halting import Halting
from support.ports import free_port
from support.receiver import Conduct, Receiver
from support.sessions import Holder
from support.uploading import UploadServer
from support.uploadproxy import Installed, ProxyProcess, Trust
from support.webhooks import Kubectl

from cdi.base.units import MiB
from cdi.base.wire.termination import Termination

PORT = free_port()
DISK = random.Random(7).randbytes(MiB) * 40  # more than one piece of the page's, 32 MiB
MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"


class Network(Halting):
    """Between the browser and the proxy, with what the page is then found under."""

    @property
    def page(self) -> str:
        return f"https://127.0.0.1:{self.port}/page/"


@pytest.fixture(scope="module")
def passing(api: ApiServer, kubectl: Kubectl, trust: Trust) -> Iterator[ProxyProcess]:
    """A proxy to ``server``."""
    with ProxyProcess(api, kubectl, trust, PORT) as made:
        yield made


@pytest.fixture(scope="module")
def browser(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium"), trust.served.cert) as made:
        yield made


@pytest.fixture
def network(passing: ProxyProcess) -> Iterator[Network]:
    with Network(passing.port) as made:
        yield made


@pytest.fixture
def page(browser: Chromium, network: Network) -> Iterator[Page]:
    made = browser.opened(network.page)
    yield made
    assert made.complaints() == []


@pytest.fixture
def server(disk: Path, installed: Installed, holder: Holder) -> Iterator[UploadServer]:
    with UploadServer(disk, installed, UPLOAD_IMAGE_SIZE="48Mi", LISTEN_PORT=str(PORT), **holder.variables()) as made:
        yield made


@pytest.fixture
def token(holder: Holder) -> str:
    return holder.token()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    path.write_bytes(DISK)
    return path


def begin(page: Page, token: str, image: Path) -> None:
    page.typed("token", token)
    page.chosen("file", image)
    page.until("!document.getElementById('chosen').textContent.startsWith('No file')")
    page.click("start")


def wait_until_halted(network: Network, page: Page) -> None:
    try:
        network.wait_until_halted()
    except AssertionError as error:
        raise AssertionError(f"{error}; the page says: {page.value('document.body.innerText')}") from error


def status_is(text: str) -> str:
    return f"document.getElementById('status').textContent.startsWith('{text}')"


def is_filled(server: UploadServer, disk: Path) -> bool:
    return isinstance(server.ended(), Termination) and disk.read_bytes() == DISK.ljust(48 * MiB, b"\0")


def test_every_file_has_the_policy_and_nothing_is_kept(passing: ProxyProcess) -> None:
    status, _, headers = passing.asked("GET", "/page/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert (passing.asked("GET", "/page")[0], passing.asked("GET", "/page/files.py")[0]) == (308, 404)
    kinds = {"page.css": "text/css", **dict.fromkeys(("page.js", "tus.js", "upload.js", "words.js"), "text/javascript")}
    answers = [headers]
    for name, kind in kinds.items():
        status, _, headers = passing.asked("GET", f"/page/{name}")
        assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        answers.append(headers)
    for each in answers:
        assert (each["Content-Security-Policy"], each["Referrer-Policy"]) == (POLICY, "no-referrer")
        assert (each["X-Content-Type-Options"], each["Set-Cookie"], each["Server"]) == ("nosniff", None, None)
    assert passing.asked("POST", "/page/", "", b"x")[0] == 405


def test_a_file_that_is_dropped_is_the_disk_by_the_token_of_the_link(
    browser: Chromium, network: Network, server: UploadServer, disk: Path, image: Path, token: str, name: str
) -> None:
    page = browser.opened(f"{network.page}#token={token}")
    assert page.value("[location.hash, location.href.includes('token'), document.cookie]") == ["", False, ""]
    assert token not in page.value(
        "document.documentElement.outerHTML + JSON.stringify([localStorage, sessionStorage])"
    )
    page.dropped("drop", [image])
    page.until("document.getElementById('chosen').textContent.startsWith('disk.raw, 40.0 MiB')")
    page.click("start")
    page.until(status_is(f"Done: the volume of uploads/{name} is filled."))
    assert page.text("amount") == "40.0 MiB of 40.0 MiB sent (100 %)"
    assert page.value("[progress.value, progress.max]") == [len(DISK), len(DISK)]
    assert page.complaints() == []
    assert is_filled(server, disk)


def test_it_goes_on_by_itself_after_the_network_was_cut(
    page: Page, network: Network, server: UploadServer, disk: Path, image: Path, token: str
) -> None:
    network.halt_after(35 * MiB)
    begin(page, token, image)
    wait_until_halted(network, page)
    network.cut()
    page.until(status_is("The connection was lost"))
    network.restore()
    page.until(status_is("Done"))
    assert is_filled(server, disk)
    assert network.count < 50 * MiB  # from its beginning again it would be 75


def test_the_opening_of_an_upload_is_tried_again_too(
    page: Page, network: Network, server: UploadServer, disk: Path, image: Path, token: str
) -> None:
    network.cut()
    begin(page, token, image)
    page.until(status_is("The connection was lost"))
    assert page.value("[start, pause, cancel].map((each) => each.disabled)") == [True, True, False]
    network.restore()
    page.until(status_is("Done"))
    assert is_filled(server, disk)


def test_it_is_paused_and_resumed(
    page: Page, network: Network, server: UploadServer, disk: Path, image: Path, token: str
) -> None:
    network.halt_after(35 * MiB)
    begin(page, token, image)
    wait_until_halted(network, page)
    assert page.value("[start, pause, cancel].map((each) => each.disabled)") == [True, False, False]
    page.click("pause")
    assert (page.text("status")[:6], page.text("pause")) == ("Paused", "Resume")
    page.click("pause")
    page.until(status_is("Done"))
    assert is_filled(server, disk)
    assert network.count < 50 * MiB


def test_one_that_is_cancelled_leaves_nothing(
    page: Page, network: Network, server: UploadServer, disk: Path, image: Path, token: str
) -> None:
    network.halt_after(10 * MiB)
    begin(page, token, image)
    wait_until_halted(network, page)
    page.click("cancel")
    page.until(status_is("Cancelled: nothing of the upload stays in the volume."))
    assert list(disk.parent.iterdir()) == []
    assert page.value("[start, pause, cancel].map((each) => each.disabled)") == [False, True, True]
    begin(page, token, image)
    page.until(status_is("Done"))
    assert is_filled(server, disk)


def test_the_server_s_own_words_are_shown(page: Page, server: UploadServer, tmp_path: Path, token: str) -> None:
    (tmp_path / "page.html").write_text("<html><body>not here</body></html>")
    (tmp_path / "large.raw").write_bytes(b"")
    with (tmp_path / "large.raw").open("wb") as large:
        large.truncate(64 * MiB)
    begin(page, "no.token", tmp_path / "page.html")
    page.until("problem.textContent.includes('UploadTokenRefused')")
    page.value("token.value = ''")
    begin(page, token, tmp_path / "page.html")
    page.until("problem.textContent.includes('NotADiskImage')")
    begin(page, token, tmp_path / "large.raw")
    page.until("problem.textContent.includes('TargetTooSmall')")


def test_a_file_that_is_changed_meanwhile_ends_the_upload(
    page: Page, network: Network, server: UploadServer, disk: Path, image: Path, token: str
) -> None:
    network.halt_after(35 * MiB)
    begin(page, token, image)
    wait_until_halted(network, page)
    page.click("pause")
    image.write_bytes(DISK[:MiB])
    page.click("pause")
    page.until("problem.textContent.startsWith('The file cannot be read any more')")
    assert list(disk.parent.iterdir()) == []


@pytest.mark.parametrize("status", [400, 503])
def test_markup_in_a_file_s_name_and_in_an_answer_is_shown_as_text(
    browser: Chromium, proxy: ProxyProcess, receiver: Receiver, tmp_path: Path, token: str, status: int
) -> None:
    """The receiver stands for a server that says what ours does not."""
    receiver.conduct = Conduct(status=status, text=MARKUP)
    image = tmp_path / "<img src=x onerror=document.title='run'>.raw"
    image.write_bytes(b"x" * 512)
    with Network(proxy.port) as network:
        page = browser.opened(network.page)
        begin(page, token, image)
        page.until("problem.textContent !== ''")
        assert page.text("problem") == MARKUP
        assert page.text("chosen") == f"{image.name}, 512 bytes"
        assert page.value("[document.title, document.images.length]") == ["Upload a disk image", 0]
        assert page.complaints() == []


def test_the_policy_is_in_force(browser: Chromium, network: Network) -> None:
    """What the other tests expect none of is seen where there is some."""
    page = browser.opened(network.page)
    page.value("document.body.insertAdjacentHTML('beforeend', `<img src=/x><b style='color: red'>x</b>`)")
    page.value("fetch('https://127.0.0.1:1/').catch(() => {})")
    page.until("window.violations.length >= 3")
    assert set(page.complaints()) >= {"img-src", "style-src-attr", "connect-src"}


def test_it_is_read_by_name(page: Page) -> None:
    """By what a screen reader is told: every control has a name, and the answers are live."""
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    found = {(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if "role" in node}
    assert {
        ("textbox", "Upload token"),
        ("progressbar", "Progress"),
        ("button", "Upload"),
        ("button", "Pause"),
        ("button", "Cancel"),
        ("heading", "Upload a disk image"),
    } <= found
    assert any(role == "button" and "choose it, or drag it here" in (name or "") for role, name in found)
    assert {"status", "alert"} <= {role for role, _ in found}
