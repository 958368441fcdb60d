"""M0 to M6: who may clone what, and the token that says so later."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from support.admission import ALICE, Known, create, texts, update
from support.asynchronous import asynchronous

from cdi.apiserver.datavolume_mutate import mutate
from cdi.apiserver.decoding import Undecodable
from cdi.apiserver.lookup import Right
from cdi.apiserver.review import ALLOWED, Answer, Request
from cdi.kube.cdi_resources import DATA_SOURCES
from cdi.kube.resources import NAMESPACES
from cdi.trust.tokens import Permit, Place

TOKEN = "cdi.kubevirt.io/storage.clone.token"
SIZE = {"resources": {"requests": {"storage": "1Gi"}}}
REFUSAL = "User alice has insufficient permissions in clone source namespace images"
CLAIM = {"pvc": {"namespace": "images", "name": "fedora"}}
SNAPSHOT = {"snapshot": {"namespace": "images", "name": "fedora"}}


class Signed:
    """Signs nothing, and remembers what for."""

    def __init__(self) -> None:
        self.permits: list[Permit] = []

    def __call__(self, permit: Permit, now: datetime.datetime) -> str:
        self.permits.append(permit)
        return "signed"


def a_volume(source: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "disk", **metadata}, "spec": {"source": source or CLAIM, "storage": SIZE}}


def referring(namespace: str = "") -> dict[str, Any]:
    reference = {"kind": "DataSource", "name": "fedora"} | ({"namespace": namespace} if namespace else {})
    return {"metadata": {"name": "disk"}, "spec": {"sourceRef": reference, "storage": SIZE}}


def images(*rights: Right) -> Known:
    return Known(*rights).add(NAMESPACES, "images")


MAY_CLONE = Right("images", "datavolumes", "cdi.kubevirt.io", "fedora", "source")
MAY_RUN_PODS = Right("images", "pods", name="fedora")
MAY_PVCS = Right("images", "pvcs", name="fedora")


async def asked(request: Request, lookup: Known | None = None, sign: Signed | None = None) -> Answer:
    return await mutate(request, lookup or Known(), sign=sign or Signed())


@pytest.mark.parametrize("size", ["2Ng", "1 Gi", "much"])
@pytest.mark.parametrize("target", ["pvc", "storage"])
@asynchronous
async def test_what_is_no_quantity_is_refused_before_the_schema_sees_it(size: str, target: str) -> None:
    body = {
        "metadata": {"name": "disk"},
        "spec": {"source": {"blank": {}}, target: {"resources": {"requests": {"storage": size}}}},
    }
    with pytest.raises(Undecodable) as refused:
        await asked(create(body))
    text = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
    assert refused.value.answer.code == 400 and text in refused.value.answer.message


@asynchronous
async def test_what_is_no_datavolume_is_a_400() -> None:
    with pytest.raises(Undecodable) as refused:
        await asked(create({"metadata": {"name": "disk"}, "spec": {"source": "text"}}))
    assert refused.value.answer.code == 400 and "source" in refused.value.answer.message


@asynchronous
async def test_no_clone_no_question() -> None:
    known = images()
    assert await asked(create(a_volume({"blank": {}})), known) == ALLOWED
    assert known.asked == []


@asynchronous
async def test_a_missing_datasource_is_told() -> None:
    answer = await asked(create(referring()))
    assert (answer.code, answer.message) == (400, 'datasources.cdi.kubevirt.io "fedora" not found')


@asynchronous
async def test_a_missing_namespace_is_told() -> None:
    answer = await asked(create(a_volume()))
    assert (answer.code, answer.message) == (400, 'namespaces "images" not found')


@pytest.mark.parametrize("source", [CLAIM, SNAPSHOT], ids=["claim", "snapshot"])
@asynchronous
async def test_whoever_may_not_clone_there_is_told(source: dict[str, Any]) -> None:
    answer = await asked(create(a_volume(source)), images())
    assert answer.code == 422
    assert texts(answer) == [("FieldValueInvalid", "spec.source.PVC.namespace", REFUSAL)]


@pytest.mark.parametrize(
    ("source", "rights", "may"),
    [
        (CLAIM, [MAY_CLONE], True),
        (CLAIM, [MAY_RUN_PODS], True),
        (CLAIM, [MAY_PVCS], False),
        (SNAPSHOT, [MAY_CLONE], True),
        (SNAPSHOT, [MAY_RUN_PODS, MAY_PVCS], True),
        (SNAPSHOT, [MAY_RUN_PODS], False),
        (SNAPSHOT, [MAY_PVCS], False),
    ],
)
@asynchronous
async def test_rights_that_let_somebody_read_the_volume_anyway_suffice(
    source: dict[str, Any], rights: list[Right], may: bool
) -> None:
    assert (await asked(create(a_volume(source)), images(*rights))).allowed is may


@pytest.mark.parametrize(("source", "is_snapshot"), [(CLAIM, False), (SNAPSHOT, True)], ids=["claim", "snapshot"])
@asynchronous
async def test_an_allowed_clone_gets_a_token(source: dict[str, Any], is_snapshot: bool) -> None:
    sign = Signed()
    answer = await asked(create(a_volume(source)), images(MAY_CLONE), sign)
    assert answer.patch == ({"op": "add", "path": "/metadata/annotations", "value": {TOKEN: "signed"}},)
    assert sign.permits == [Permit(Place("images", "fedora"), Place("team", "disk"), is_snapshot)]


@asynchronous
async def test_in_ones_own_namespace_nobody_is_asked_and_there_is_a_token_too() -> None:
    known, sign = Known(), Signed()
    body = a_volume({"pvc": {"namespace": "team", "name": "fedora"}}, annotations={"a": "b"})
    answer = await asked(create(body), known, sign)
    path = "/metadata/annotations/cdi.kubevirt.io~1storage.clone.token"
    assert answer.patch == ({"op": "add", "path": path, "value": "signed"},)
    assert sign.permits == [Permit(Place("team", "fedora"), Place("team", "disk"))]
    assert known.asked == []


@asynchronous
async def test_a_name_that_would_be_made_later_is_made_now_as_the_token_has_it() -> None:
    sign = Signed()
    body = a_volume({"pvc": {"namespace": "team", "name": "fedora"}}, name="", generateName="disk-")
    named, _ = (await asked(create(body), None, sign)).patch
    assert named["path"] == "/metadata/name" and named["value"].startswith("disk-") and len(named["value"]) == 10
    assert sign.permits[0].target == Place("team", named["value"])


@asynchronous
async def test_a_change_is_authorized_again_and_gets_no_token() -> None:
    assert await asked(update(a_volume(), a_volume()), images(MAY_CLONE)) == ALLOWED
    refused = await asked(update(a_volume(), a_volume()), images())
    assert refused.message.startswith(f" {REFUSAL}. ")


@pytest.mark.parametrize("key", ["prePopulated", "checkStaticVolume"])
@pytest.mark.parametrize("body", [a_volume(), referring()], ids=["claim", "reference"])
@asynchronous
async def test_where_nothing_will_be_cloned_nothing_is_asked(key: str, body: dict[str, Any]) -> None:
    known = images()
    lenient = {**body, "metadata": {"name": "disk", "annotations": {f"cdi.kubevirt.io/storage.{key}": ""}}}
    assert await asked(create(lenient), known) == ALLOWED
    assert known.asked == []


@asynchronous
async def test_one_that_is_deleted_is_left_alone() -> None:
    gone = a_volume(deletionTimestamp="2026-01-01T00:00:00Z")
    assert await asked(update(gone, gone), images()) == ALLOWED


@asynchronous
async def test_a_datasource_leads_to_what_is_cloned() -> None:
    known = images(Right("images", "pods", name="golden"))
    known.add(DATA_SOURCES, "fedora", "images", spec={"source": {"pvc": {"namespace": "images", "name": "golden"}}})
    sign = Signed()
    assert (await asked(create(referring("images")), known, sign)).allowed
    assert sign.permits == [Permit(Place("images", "golden"), Place("team", "disk"))]


@asynchronous
async def test_a_datasource_that_is_a_reference_leads_to_what_its_status_says() -> None:
    known = images()
    spec = {"source": {"dataSource": {"namespace": "team", "name": "x"}}}
    status = {"source": {"snapshot": {"namespace": "images", "name": "golden"}}}
    known.add(DATA_SOURCES, "fedora", "team", spec=spec, status=status)
    answer = await asked(create(referring()), known)
    assert answer.message.startswith(f" {REFUSAL}. ")
    assert known.asked[0] == Right("images", "datavolumes", "cdi.kubevirt.io", "golden", "source")


@asynchronous
async def test_a_datasource_that_is_not_ready_counts_as_no_clone() -> None:
    known = images().add(DATA_SOURCES, "fedora", "team", spec={"source": {}})
    assert await asked(create(referring()), known) == ALLOWED


@asynchronous
async def test_rights_are_asked_for_whoever_sends_the_request() -> None:
    class Attentive(Known):
        async def may(self, user: Any, right: Right) -> bool:
            assert user == ALICE
            return await super().may(user, right)

    known = Attentive(MAY_CLONE).add(NAMESPACES, "images")
    assert (await asked(create(a_volume()), known)).allowed


async def forged(body: dict[str, Any], *rights: Right) -> Answer:
    """Whoever comes by another path than API servers do may have written down any user."""
    return await mutate(create(body), images(*rights), sign=None)


@pytest.mark.parametrize("source", [CLAIM, SNAPSHOT], ids=["claim", "snapshot"])
@asynchronous
async def test_whoever_is_no_api_server_gets_no_token_whatever_the_user_may(source: dict[str, Any]) -> None:
    answer = await forged(a_volume(source), MAY_CLONE)
    assert not answer.allowed and answer.patch == ()
    assert "did not come by the path that only API servers know" in answer.message
    assert "try again" in answer.message


@asynchronous
async def test_what_needs_no_token_is_allowed_without_one() -> None:
    assert await forged(a_volume({"pvc": {"namespace": "team", "name": "fedora"}})) == ALLOWED
    assert await forged(a_volume({"blank": {}})) == ALLOWED
    assert await mutate(update(a_volume(), a_volume()), images(MAY_CLONE), sign=None) == ALLOWED


@asynchronous
async def test_a_token_that_somebody_wrote_down_is_replaced() -> None:
    answer = await asked(create(a_volume(annotations={TOKEN: "forged"})), images(MAY_CLONE))
    assert answer.patch[0]["value"] == "signed"
