from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from support import virtualtime

from cdi.base.upload_permits import UploadPermit
from cdi.contract import annotations as a
from cdi.kube.client import Client
from cdi.kube.errors import ApiError, Forbidden, Unreachable
from cdi.kube.objects import Metadata
from cdi.kube.storage import PersistentVolumeClaim
from uploadproxy.proxy.destination import Destination
from uploadproxy.proxy.refusal import Refusal
from uploadproxy.proxy.search import Search

READY = {a.UPLOAD_TARGET: "", a.POD_READY: "true"}
PERMIT = UploadPermit("team", "disk")

Answer = PersistentVolumeClaim | ApiError | None


def claim(annotations: dict[str, str]) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(metadata=Metadata(name="disk", namespace="team", uid="1", annotations=annotations))


class Answering:
    """An API server whose answer depends on the time."""

    def __init__(self, answer: Callable[[float], Answer]) -> None:
        self._answer = answer
        self.asked: list[float] = []

    async def find(self, _: Any, name: str, namespace: str) -> PersistentVolumeClaim | None:
        assert (namespace, name) == ("team", "disk")
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        found = self._answer(now)
        if isinstance(found, ApiError):
            raise found
        return found


def found(server: Answering) -> Destination:
    return virtualtime.run(Search(cast(Client, server)).destination(PERMIT))


def refusal(server: Answering) -> Refusal:
    with pytest.raises(Refusal) as refused:
        found(server)
    return refused.value


def test_one_that_is_ready_is_asked_for_once() -> None:
    server = Answering(lambda _: claim(READY))
    assert found(server) == Destination("cdi-upload-disk.team.svc")
    assert server.asked == [0.0]


def test_one_that_becomes_ready_is_waited_for() -> None:
    server = Answering(lambda now: claim(READY if now >= 7 else {a.UPLOAD_TARGET: ""}))
    assert found(server) == Destination("cdi-upload-disk.team.svc")
    assert 7 <= server.asked[-1] < 8


def test_an_api_server_that_does_not_answer_is_waited_for_too() -> None:
    server = Answering(lambda now: claim(READY) if now >= 3 else Unreachable("no answer"))
    assert found(server) == Destination("cdi-upload-disk.team.svc")


@pytest.mark.parametrize(("answer", "why"), [(claim({a.UPLOAD_TARGET: ""}), "no pod yet"), (Unreachable("cut"), "cut")])
def test_ten_seconds_are_enough(answer: Answer, why: str) -> None:
    server = Answering(lambda _: answer)
    refused = refusal(server)
    assert (refused.status, refused.fault.code) == (503, "UploadNotReady")
    assert str(refused).startswith("context deadline exceeded ") and why in str(refused)
    assert 9 < server.asked[-1] <= 10 and len(server.asked) <= 21


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (None, "UploadClaimMissing"),
        (claim({}), "UploadUnasked"),
        (Forbidden(403, "Forbidden", "no"), "UploadLookupFailed"),
    ],
)
def test_what_no_waiting_mends_is_said_at_once(answer: Answer, code: str) -> None:
    server = Answering(lambda _: answer)
    refused = refusal(server)
    assert (refused.status, refused.fault.code, server.asked) == (503, code, [0.0])
