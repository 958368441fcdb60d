from __future__ import annotations

import pytest

from cdi.base.upload_permits import UploadPermit
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.kube.objects import Metadata, OwnerReference
from cdi.kube.storage import ClaimSpec, PersistentVolumeClaim, TypedReference
from uploadproxy.proxy.destination import Destination, destination, filled_claim, hindrance
from uploadproxy.proxy.refusal import Refusal

READY = {a.UPLOAD_TARGET: "", a.POD_READY: "true", a.POD_PHASE: "Running"}
PERMIT = UploadPermit("team", "disk", "uid-1")
SOURCE = TypedReference(api_group="cdi.kubevirt.io", kind="VolumeUploadSource", name="upload")


def claim(
    annotations: dict[str, str] | None = None,
    name: str = "disk",
    uid: str = "uid-1",
    source: TypedReference | None = None,
) -> PersistentVolumeClaim:
    metadata = Metadata(name=name, namespace="team", uid=uid, annotations=READY if annotations is None else annotations)
    return PersistentVolumeClaim(metadata=metadata, spec=ClaimSpec(data_source_ref=source))


def prime(annotations: dict[str, str] | None = None, owner: str = "uid-1") -> PersistentVolumeClaim:
    owners = [OwnerReference(kind="PersistentVolumeClaim", uid=owner, controller=True)]
    said = READY if annotations is None else annotations
    metadata = Metadata(name="prime-uid-1", namespace="team", uid="uid-2", annotations=said, owner_references=owners)
    return PersistentVolumeClaim(metadata=metadata)


def refusal(found: PersistentVolumeClaim, target: PersistentVolumeClaim | None = None) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused:
        destination(found, target or found)
    return refused.value.status, refused.value.fault.code


def test_a_plain_claim_has_a_server_of_its_own() -> None:
    assert filled_claim(claim(), PERMIT) == "disk"
    target = claim()
    assert destination(target, target) == Destination("cdi-upload-disk.team.svc")


def test_a_populated_one_is_filled_by_way_of_pvc_prime() -> None:
    target = claim({a.PRIME: "prime-uid-1"}, source=SOURCE)
    assert filled_claim(target, PERMIT) == "prime-uid-1"
    assert destination(prime(), target) == Destination("cdi-upload-prime-uid-1.team.svc")
    assert filled_claim(claim({}, source=SOURCE), PERMIT) == ""


def test_another_source_has_no_pvc_prime_for_uploads() -> None:
    other = TypedReference(api_group="cdi.kubevirt.io", kind="VolumeImportSource", name="import")
    assert filled_claim(claim({a.PRIME: "prime-uid-1"}, source=other), PERMIT) == "disk"


def test_a_claim_that_is_not_pvc_prime_of_the_target_gets_nothing() -> None:
    target = claim({a.PRIME: "prime-uid-1"}, source=SOURCE)
    assert refusal(prime(owner="uid-of-another"), target) == (503, "UploadUnasked")


@pytest.mark.parametrize("uid", ["", "uid-1"])
def test_a_token_fits_its_claim_and_any_that_names_none(uid: str) -> None:
    assert filled_claim(claim(), UploadPermit("team", "disk", uid)) == "disk"


def test_a_token_of_a_former_claim_is_unauthorized() -> None:
    with pytest.raises(Refusal) as refused:
        filled_claim(claim(), UploadPermit("team", "disk", "uid-0"))
    assert (refused.value.status, refused.value.fault.code) == (401, "UploadTokenOutdated")


def test_what_is_finished_takes_nothing_more() -> None:
    done = READY | {a.POD_PHASE: "Succeeded"}
    assert refusal(claim(done)) == (503, "UploadFinished")
    with pytest.raises(Refusal) as refused:
        filled_claim(claim(done, source=SOURCE), PERMIT)
    assert refused.value.status == 503 and "already finished uploading" in str(refused.value)


def test_a_claim_that_did_not_ask_for_an_upload_gets_none() -> None:
    assert refusal(claim({a.POD_READY: "true"})) == (503, "UploadUnasked")


@pytest.mark.parametrize(
    ("content", "is_archive"), [(None, False), ("", False), ("kubevirt", False), ("archive", True)]
)
def test_the_claim_says_what_it_takes(content: str | None, is_archive: bool) -> None:
    target = claim(READY | ({} if content is None else {a.CONTENT_TYPE: content}))
    found = destination(target, target)
    assert found is not None and found.is_archive == is_archive


def test_contents_of_another_type_are_refused_in_few_words() -> None:
    target = claim(READY | {a.CONTENT_TYPE: "x" * 100_000})
    with pytest.raises(Refusal) as refused:
        destination(target, target)
    assert refused.value.fault.code == "UploadContentUnknown" and len(str(refused.value)) < 1000


@pytest.mark.parametrize("ready", [None, "false", "", "True"])
def test_what_is_not_ready_is_waited_for(ready: str | None) -> None:
    said = {key: value for key, value in READY.items() if key != a.POD_READY}
    target = claim(said | ({} if ready is None else {a.POD_READY: ready}))
    assert destination(target, target) is None


def test_a_claim_says_why_its_server_is_not_ready() -> None:
    said = {a.POD_PHASE: "Pending", a.RUNNING_MESSAGE: "no node has room\n" + "x" * 10_000}
    text = hindrance(claim(said))
    assert text.startswith("team/disk: its pod is Pending; no node has room") and len(text) < 300
    assert hindrance(claim({})) == "team/disk: it has no pod yet"


def test_a_long_name_leads_to_the_service_that_the_controller_makes() -> None:
    long = "a" * 160
    target = claim(name=long)
    found = destination(target, target)
    assert found is not None and found.host == f"{names.upload_service(long)}.team.svc"
