"""Debian's chromium without a screen, driven over a pipe by its DevTools protocol: what a person does and reads.

with Chromium(folder, certificate) as browser:
    page = browser.opened("https://127.0.0.1:8443/page/")
    page.until("document.querySelector('#status').textContent.startsWith('Done')")
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_WAIT_S = 60
# The pipes have to be descriptors 3 and 4.
_START = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--lang=en"),
)
# Runs before anything of the page does.
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""
_UNTIL = """
new Promise((done) => {
  const end = (found) => { watch.disconnect(); clearTimeout(timer); done(found); };
  const look = () => { if (%s) end(true); };
  const timer = setTimeout(end, %d, false);
  const watch = new MutationObserver(look);
  watch.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
  look();
})
"""


class Chromium:
    """Runs from ``with`` on. ``certificate``: the one of a server that it trusts."""

    def __init__(self, folder: Path, certificate: Path) -> None:
        self._folder = folder
        key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
        digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        self._trust = f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}  # guarded by _changed, as what follows
        self._has_ended = False
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        (its_input, self._writes), (self._reads, its_output) = os.pipe(), os.pipe()
        command = ["chromium", *_OPTIONS, self._trust, f"--user-data-dir={self._folder}", "--remote-debugging-pipe"]
        with (self._folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", _START, "bash", str(its_input), str(its_output), *command, "about:blank"],
                pass_fds=(its_input, its_output),
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self._folder)},
            )
        os.close(its_input)
        os.close(its_output)
        self._reader = threading.Thread(target=self._read, name="chromium")
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(AssertionError):  # it may have ended by itself
            self.call("Browser.close")
        try:
            self._process.wait(_WAIT_S)
        finally:
            self._process.kill()
            os.close(self._writes)
            self._reader.join(_WAIT_S)
            os.close(self._reads)

    def opened(self, address: str) -> Page:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        page.call("Page.navigate", url=address)
        self._wait_for("Page.loadEventFired", page.session)
        return page

    def call(self, method: str, session: str = "", /, **parameters: object) -> dict[str, Any]:
        """Waits for the answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writes, data)
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self._has_ended, 2 * _WAIT_S)
            answer = self._answers.pop(number, None)
        assert answer is not None, f"{method}: no answer. {(self._folder / 'chromium.log').read_text()[-2000:]}"
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _wait_for(self, event: str, session: str) -> None:
        def has_come() -> bool:
            return any((each["method"], each.get("sessionId")) == (event, session) for each in self.events)

        with self._changed:
            assert self._changed.wait_for(has_come, _WAIT_S), event

    def _read(self) -> None:
        left = b""
        while data := os.read(self._reads, 1 << 20):
            *messages, left = (left + data).split(b"\0")
            with self._changed:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self._answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()


class Page:
    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self.session = browser, session

    def call(self, method: str, /, **parameters: object) -> dict[str, Any]:
        return self._browser.call(method, self.session, **parameters)

    def value(self, expression: str) -> Any:
        """Of an expression in JavaScript; of what it resolves with where it is a promise."""
        said = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def until(self, condition: str) -> None:
        """Waits until the expression is true: it is looked at whenever the document changes."""
        assert self.value(_UNTIL % (condition, _WAIT_S * 1000)), f"{condition}: {self.value('document.body.innerText')}"

    def text(self, element: str) -> str:
        """``element``: its id."""
        shown: str = self.value(f"document.getElementById({json.dumps(element)}).textContent")
        return shown

    def click(self, element: str) -> None:
        self.value(f"document.getElementById({json.dumps(element)}).click()")

    def typed(self, element: str, text: str) -> None:
        self.value(f"document.getElementById({json.dumps(element)}).focus()")
        self.call("Input.insertText", text=text)

    def chosen(self, element: str, file: Path) -> None:
        """In the field for a file."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=f"#{element}")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def dropped(self, element: str, files: Sequence[Path]) -> None:
        """Onto the element's middle, as from a file manager."""
        box = self.value(f"document.getElementById({json.dumps(element)}).getBoundingClientRect().toJSON()")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, data=data, **place)

    def complaints(self) -> list[str]:
        """Of the browser: what the policy has forbidden, and errors that nothing has caught."""
        found: list[str] = self.value("window.violations")
        for event in self._browser.events:
            if event.get("sessionId") != self.session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"]["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["source"] == "security":
                found.append(event["params"]["entry"]["text"])
        return found
