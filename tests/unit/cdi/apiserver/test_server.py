"""What the server itself does: bodies of any kind, handlers that fail, and the line that large reviews stand in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from support.admission import Known

from cdi.apiserver import server
from cdi.apiserver.review import ALLOWED, Answer, Request

REVIEW = {"apiVersion": "admission.k8s.io/v1", "request": {"uid": "7", "operation": "CREATE", "name": "disk\nforged"}}


async def judged(handler: Any, body: bytes) -> tuple[int, Any]:
    found = await server._judged(handler, Known(), body)  # type: ignore[arg-type]
    assert isinstance(found.body, bytes)
    return found.status, msgspec.json.decode(found.body) if found.status == 200 else found.body.decode()


async def allow(request: Request, lookup: Any) -> Answer:
    return ALLOWED


async def fail(request: Request, lookup: Any) -> Answer:
    raise KeyError("x" * 100_000)


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"<html>",
            b"\xff",
            b"[]",
            b"{}",
            b'{"request":1}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"9" * 8_000_000,
        ),
        *(b'{"apiVersion":"v1","request":{"object":' + b"[" * 5000 + b"]" * 5000 + b"}}", b'{"apiVersion":"\\ud800"}'),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_review_is_said_to_be_none(body: bytes) -> None:
    status, said = asyncio.run(judged(allow, body))
    assert status == 400 and said.startswith("this is no AdmissionReview: ") and len(said) < 300


def test_a_bug_is_an_answer_that_a_person_can_report(caplog: pytest.LogCaptureFixture) -> None:
    status, said = asyncio.run(judged(fail, json.dumps(REVIEW).encode()))
    assert (status, said["response"]["allowed"], said["response"]["status"]["code"]) == (200, False, 500)
    assert said["response"]["status"]["message"].startswith(
        "the webhook failed, and nothing was judged: KeyError: 'xxx"
    )
    assert len(said["response"]["status"]["message"]) < 400 and "a bug" in caplog.text


def test_large_reviews_wait_for_each_other_and_ordinary_ones_for_nobody() -> None:
    order: list[str] = []

    async def review(line: server.Line, name: str, size: int, *, announced: bool = True) -> None:
        async with line.reading(size if announced else None):
            order.append(f"{name} read")
            await asyncio.sleep(0)
            async with line.judging(size):
                order.append(f"{name} begun")
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                order.append(f"{name} done")

    async def all_of_them() -> None:
        line = server.Line()
        large = [review(line, f"large-{number}", 3 << 20, announced=number % 2 == 0) for number in range(9)]
        await asyncio.gather(*large, review(line, "small", 2000))

    asyncio.run(all_of_them())
    begun = [each for each in order if each.startswith("large") and not each.endswith("read")]
    assert begun == [f"large-{number} {what}" for number in range(9) for what in ("begun", "done")]
    before = order[: order.index("small done")]
    assert len([each for each in before if each.endswith("read") and each.startswith("large")]) == 4
    assert len([each for each in before if each.endswith("done")]) <= 1
