"""An admission request, and the answers to it. Pure: what travels between the API server and us."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cdi.api.violation import Violation
from cdi.kube.reviews import UserInfo

NOTHING = Raw(b"null")
INVALID, DUPLICATE = "FieldValueInvalid", "FieldValueDuplicate"


class Resource(Struct):
    group: str = ""
    version: str = ""
    resource: str = ""


class Request(Struct, rename="camel"):
    """``object`` and ``old_object``: as they stand in the request; ``null`` where there is none."""

    uid: str = ""
    operation: str = ""
    name: str = ""
    namespace: str = ""
    resource: Resource = msgspec.field(default_factory=Resource)
    user_info: UserInfo = msgspec.field(default_factory=UserInfo)
    object: Raw = NOTHING  # not "Raw | None": msgspec refuses every object then
    old_object: Raw = NOTHING
    dry_run: bool | None = None


class Review(Struct, rename="camel"):
    api_version: str
    request: Request


@dataclass(frozen=True, slots=True)
class Answer:
    """``code`` and ``causes`` count where it is not ``allowed``. ``patch``: JSON patch operations."""

    allowed: bool = True
    code: int = 200
    message: str = ""
    causes: tuple[tuple[str, Violation], ...] = ()
    patch: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = field(default=())


ALLOWED = Answer()


def refused(violations: Iterable[Violation], reason: str = INVALID) -> Answer:
    """The contract's form: each cause's message after a blank, status 422."""
    found = tuple((reason, item) for item in violations)
    message = "".join(f" {item.message}" for _, item in found)
    return Answer(False, 422, message, found)


def broken(message: str) -> Answer:
    """What is no sound request, or what we could not find out: status 400."""
    return Answer(False, 400, message)


def encode(review: Review, answer: Answer) -> bytes:
    """The AdmissionReview that goes back, in the version that came."""
    response: dict[str, Any] = {"uid": review.request.uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = _status(answer)
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(answer.patch)).decode()
    if answer.warnings:
        response["warnings"] = list(answer.warnings)
    body = {"apiVersion": review.api_version, "kind": "AdmissionReview", "response": response}
    return msgspec.json.encode(body)


def _status(answer: Answer) -> dict[str, Any]:
    """Without a reason, as the contract has it: of one that is Invalid kubectl does not print which webhook refused."""
    status: dict[str, Any] = {"status": "Failure", "message": answer.message, "code": answer.code}
    if answer.causes:
        status["details"] = {"causes": _causes(answer.causes)}
    return status


def _causes(causes: Sequence[tuple[str, Violation]]) -> list[dict[str, str]]:
    return [{"reason": reason, "message": item.message, "field": item.field} for reason, item in causes]


def annotate(before: dict[str, str], added: dict[str, str]) -> tuple[dict[str, Any], ...]:
    """JSON patch that adds annotations to an object that has ``before``."""
    if not added:
        return ()
    if not before:
        return ({"op": "add", "path": "/metadata/annotations", "value": added},)
    return tuple({"op": "add", "path": f"/metadata/annotations/{_escaped(key)}", "value": added[key]} for key in added)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
