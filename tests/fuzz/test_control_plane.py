"""What users and servers write and the control plane reads, at the largest size that it can get: each text is read or
answered, in a CPU time that its size bounds. Bounds are ten times what the worst text that was found takes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
import pytest
from support.admission import Known
from support.fuzzing import chances
from support.longtexts import little_memory, little_time, long_text

from cdi.api.datavolume import DataVolume
from cdi.api.validation import update_violation, violation
from cdi.apiserver import datavolume_mutate, server
from cdi.apiserver.schedule import is_schedule
from cdi.base.moments import moment
from cdi.base.printable import lines
from cdi.base.units import parse_quantity
from cdi.base.wire.progress import decode_progress
from cdi.base.wire.termination import decode_termination
from cdi.cli.screen import percent_of
from cdi.contract import annotations as a
from cdi.contract.annotations import count
from cdi.contract.failures import failure_code
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observed import Observed as SeenVolume
from cdi.controllers.datavolume.plan import Plan
from cdi.controllers.datavolume.status import status_of
from cdi.controllers.population import decide as population
from cdi.controllers.population.observed import Observed as SeenClaim
from cdi.controllers.population.plan import Role
from cdi.controllers.population.report import report_of
from cdi.controllers.written import Written
from cdi.kube.decoding import read
from cdi.kube.errors import Unreadable, from_answer
from cdi.kube.objects import Metadata
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from cdi.trust.lifetimes import CA, duration_of
from cdi.trust.stated import is_asked
from cdi.trust.tokens import Signer, key_pair
from storageprofiles.rendering import ClaimPropertySet, Profile

T = TypeVar("T")
REQUEST, ANNOTATIONS, MESSAGE = 3 << 20, 1 << 18, 1 << 20  # bytes that the API server takes; a log's line
NOW = "2026-01-01T00:00:00Z"
KEYS = sorted({value for name, value in vars(a).items() if name.isupper() and isinstance(value, str)})
PROFILE = Profile("fast", (ClaimPropertySet(("ReadWriteOnce",)),), "0.06")


def quantity(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_quantity(text)


def duration(text: str) -> None:
    with contextlib.suppress(ValueError):
        duration_of(text)


def answer(text: str) -> None:
    body = text.encode(errors="surrogatepass")
    assert from_answer(500, body, text).retry_after_s >= 0
    assert len(from_answer(500, json.dumps({"message": text}).encode()).message) < 5000


def version(text: str) -> None:
    written = Written()
    written.note(Metadata(uid="u", resource_version="7"))
    written.is_seen(Metadata(uid="u", resource_version=text))


def progress(text: str) -> None:
    for line in (text, f'{{"stage":"{text}","record":"{text}"}}', f'{{"rateBps":{text},"bytesDone":{text}}}'):
        found = decode_progress(line.encode(errors="surrogatepass"))
        assert found is None or found.rate_bps <= 1e15


def termination(text: str) -> None:
    for line in (text, f'{{"message":"{text}","source":{text}}}', f'{{"bytesDone":{text}}}'):
        decode_termination(line.encode(errors="surrogatepass"))


def body(text: str) -> None:
    for whole in (text, f'{{"spec":{text}}}', f'{{"metadata":{{"labels":null}},"x":{text}}}'):
        with contextlib.suppress(Unreadable):
            read(DataVolume, whole.encode(errors="surrogatepass"), "it")


def secret(text: str) -> None:
    is_asked({f"auth.openshift.io/certificate-not-{end}": text for end in ("before", "after")}, LIFE, MOMENT)


MOMENT = moment(NOW)
LIFE = CA

PARSERS: dict[str, tuple[Callable[[str], object], int]] = {
    "quantity": (quantity, REQUEST),
    "duration": (duration, REQUEST),
    "schedule": (is_schedule, REQUEST),
    "moment": (moment, REQUEST),
    "object": (body, REQUEST),
    "shown": (lines, ANNOTATIONS),
    "count": (count, ANNOTATIONS),
    "code": (failure_code, ANNOTATIONS),
    "percent": (percent_of, ANNOTATIONS),
    "version": (version, ANNOTATIONS),
    "stated": (secret, ANNOTATIONS),
    "answer": (answer, MESSAGE),
    "termination": (termination, MESSAGE),
    "progress": (progress, MESSAGE),
}


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_reads_or_refuses_any_text_in_little_time(name: str) -> None:
    parse, most = PARSERS[name]
    for number, chance in chances(1.0):
        text = long_text(chance, most)
        with little_time(5, f"{name}, FUZZ_CASE={number}: {text[:80]!r}"):
            parse(text)


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_holds_little_memory(name: str) -> None:
    """An empty list is 3 bytes of JSON and 64 of Python: what has no type may take that."""
    parse, most = PARSERS[name]
    for number in range(6):
        text = long_text(random.Random(number), most)
        with little_memory(64 * len(text) + (1 << 20), f"{name}, case {number}: {text[:80]!r}"):
            parse(text)


# --- whole objects: a text in place of any member ---------------------------------------------------------------------

VOLUME: dict[str, Any] = {
    "metadata": {"name": "disk", "namespace": "ns", "uid": "v1", "annotations": {"k": "v"}, "labels": {"k": "v"}},
    "spec": {
        "source": {"http": {"url": "http://h/d", "checksum": "md5:0", "extraHeaders": ["X: y"], "secretRef": "s"}},
        "storage": {
            "resources": {"requests": {"storage": "1Gi"}, "limits": {"storage": "2Gi"}},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "volumeMode": "Filesystem",
            "selector": {"matchLabels": {"a": "b"}},
        },
        "contentType": "kubevirt",
        "checkpoints": [{"current": "a", "previous": "b"}],
    },
}
OBJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "/datavolume-mutate": ("datavolumes", VOLUME),
    "/datavolume-validate": ("datavolumes", VOLUME),
    "/pvc-mutate": (
        "persistentvolumeclaims",
        {
            "metadata": {
                "name": "disk",
                "labels": {a.APPLY_PROFILE: "true"},
                "annotations": {a.CONTENT_TYPE: "kubevirt"},
            },
            "spec": VOLUME["spec"]["storage"]
            | {"dataSourceRef": {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": "n"}},
        },
    ),
    "/dataimportcron-validate": (
        "dataimportcrons",
        {
            "metadata": {"name": "cron"},
            "spec": {
                "schedule": "* * * * *",
                "managedDataSource": "ds",
                "garbageCollect": "Never",
                "template": {"spec": {"source": {"registry": {"url": "docker://a", "pullMethod": "pod"}}}},
            },
        },
    ),
    "/populator-validate": (
        "volumeimportsources",
        {"metadata": {"name": "s"}, "spec": {"source": VOLUME["spec"]["source"]}},
    ),
    "/objecttransfer-validate": (
        "objecttransfers",
        {"metadata": {"name": "t"}, "spec": {"source": {"kind": "DataVolume"}, "target": {"name": "n"}}},
    ),
}


SIGNER = Signer(key_pair().private)
HANDLERS = {
    **server.webhooks(SIGNER.verified),
    "/datavolume-mutate": partial(datavolume_mutate.mutate, sign=SIGNER.token),
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of every member of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for key, item in inner for each in ((*path, key), *paths(item, (*path, key)))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with ``value`` at ``path``."""
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = replaced(document[path[0]], path[1:], value)
    return copy


def odd_value(chance: random.Random) -> Any:
    """What may stand where another member is expected: text, numbers, nothing, and any of them many times."""
    text = long_text(chance, REQUEST)
    value = chance.choice((text, text, text, None, True, -1, 10**30, 1e300, "9" * 5000, [], {}, [None], {"a": None}))
    match chance.randrange(6):
        case 0:
            return [value if len(str(value)) < 100 else "x"] * 200_000
        case 1:
            return {f"k{index}": value if len(str(value)) < 100 else "x" for index in range(100_000)}
        case 2:
            return msgspec.Raw(b"[" * 5000 + b"]" * 5000)
        case 3:
            return msgspec.Raw(b"9" * 100_000)
    return value


def written(document: Any) -> bytes:
    """JSON, also of halves of characters, as a client may send them."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return json.dumps(document).encode()


@pytest.mark.parametrize("path", OBJECTS)
def test_a_webhook_answers_any_object_in_little_time(path: str, caplog: pytest.LogCaptureFixture) -> None:
    resource, document = OBJECTS[path]
    handler, known = HANDLERS[path], Known()
    places = paths(document)

    async def answered(review: bytes) -> tuple[int, bytes]:
        found = await server._judged(handler, known, review)  # type: ignore[arg-type]
        return found.status, bytes(found.body)  # type: ignore[arg-type]

    for number, chance in chances(1.5):
        at = chance.choice(places)
        changed = replaced(document, at, odd_value(chance))
        request: dict[str, Any] = {"uid": "1", "operation": "CREATE", "namespace": "ns", "object": changed}
        request |= {"resource": {"group": "cdi.kubevirt.io", "version": "v1beta1", "resource": resource}}
        if chance.random() < 0.4:
            request |= {"operation": "UPDATE", "oldObject": document if chance.random() < 0.5 else changed}
        review = written({"apiVersion": "admission.k8s.io/v1", "request": request})
        with little_time(10, f"{path}, FUZZ_CASE={number} at {at}"):
            status, said = asyncio.run(answered(review))
        if status == 200:
            response = msgspec.json.decode(said)["response"]
            assert response["allowed"] or len(response["status"]["message"]) < 20_000, f"FUZZ_CASE={number} at {at}"
        else:
            assert status == 400 and said.startswith(b"this is no AdmissionReview: "), f"FUZZ_CASE={number} at {at}"
    assert "a bug" not in caplog.text


@pytest.mark.parametrize(
    "value",
    [
        *(b"[" + b"[]," * 900_000 + b"1]", b"[" + b"{}," * 900_000 + b"1]", b'"' + b"9" * 2_900_000 + b'"'),
        *(b"[" + b"null," * 500_000 + b"1]", b"[" + b'"",' * 900_000 + b"1]"),
        b"{" + b",".join(b'"%d":null' % number for number in range(200_000)) + b"}",
    ],
    ids=lambda value: repr(value[:8]),
)
def test_a_review_holds_little_memory_whatever_its_object_is(value: bytes) -> None:
    """At most two are judged at a time (a large one, and ordinary ones), and the pod's limit is not far."""
    places = (
        ("spec", "source", "http", "extraHeaders"),
        ("spec", "storage", "selector"),
        ("metadata", "labels"),
        ("x",),
    )
    for place in places:
        spec = VOLUME | {"x": 1} if place == ("x",) else VOLUME
        changed = replaced(spec, place, msgspec.Raw(value))
        review = written({"apiVersion": "v1", "request": {"uid": "1", "operation": "CREATE", "object": changed}})
        with little_memory(200 << 20, f"{value[:9]!r} at {place}"), little_time(20, place):
            asyncio.run(server._judged(HANDLERS["/datavolume-mutate"], Known(), review))  # type: ignore[arg-type]


def test_rules_of_a_volume_name_what_breaks_them_in_few_words() -> None:
    before = msgspec.convert(VOLUME, DataVolume)
    for number, chance in chances(1.5):
        at = chance.choice(paths(VOLUME))
        try:
            volume = read(DataVolume, written(replaced(VOLUME, at, long_text(chance, REQUEST))), "it")
        except Unreadable:
            continue
        with little_time(5, f"FUZZ_CASE={number} at {at}"):
            found = (
                violation(volume),
                update_violation(before.spec, volume.spec),
                update_violation(volume.spec, before.spec),
            )
        assert all(item is None or len(item.message) < 20_000 for item in found), f"FUZZ_CASE={number} at {at}"


# --- what controllers decide on ---------------------------------------------------------------------------------------


def stored(type_: type[T], document: dict[str, Any]) -> T:
    """As an API server gives it back, which keeps no halves of characters."""
    return read(type_, json.dumps(document, ensure_ascii=False).encode(errors="replace"), "it")


def a_claim(chance: random.Random, **annotations: str) -> PersistentVolumeClaim:
    """Ours, bound or not, with texts in any annotation that we read."""
    texts = {key: long_text(chance, ANNOTATIONS) for key in chance.sample(KEYS, 4)}
    owner = {"uid": "v1", "controller": True, "kind": "DataVolume", "name": "disk"}
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": annotations | texts}
    metadata |= {"ownerReferences": [owner]} if chance.random() < 0.7 else {}
    spec = {"resources": {"requests": {"storage": chance.choice(("1Gi", long_text(chance, 1000)))}}}
    phase = chance.choice(("Bound", "Pending", "Lost"))
    return stored(PersistentVolumeClaim, {"metadata": metadata, "spec": spec, "status": {"phase": phase}})


def a_pod(chance: random.Random) -> Pod:
    """A worker that says something at its end, and its kubelet why it waits."""
    said = chance.choice((long_text(chance, MESSAGE), json.dumps({"message": long_text(chance, 2000), "notes": ["x"]})))
    ended = {"exitCode": chance.randrange(2), "message": said, "reason": "Error", "startedAt": NOW}
    ended |= {"finishedAt": chance.choice((NOW, long_text(chance, 50)))}
    waiting = {"reason": "CrashLoopBackOff", "message": f"back-off {long_text(chance, 1000)}s restarting failed"}
    states = chance.choice(
        ({"state": {"terminated": ended}}, {"state": {"waiting": waiting}, "lastState": {"terminated": ended}})
    )
    owner = {"uid": "c1", "controller": True, "kind": "PersistentVolumeClaim", "name": "disk"}
    return stored(
        Pod,
        {
            "metadata": {"name": "importer-disk", "namespace": "ns", "uid": "p1", "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "importer"}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "importer", **states}]},
        },
    )


def test_a_controller_decides_on_claims_with_any_annotation_in_little_time() -> None:
    for number, chance in chances(2.0):
        claim = a_claim(chance, **{a.SOURCE: "http", a.ENDPOINT: "http://h/d"})
        pod = a_pod(chance) if chance.random() < 0.7 else None
        seen = SeenClaim(claim, storage_class=StorageClass(provisioner="x"), objects={Role.WORKER: pod})
        with little_time(5, f"FUZZ_CASE={number}"):
            if pod is not None:
                report_of(pod)
            population.decide(seen)


def test_the_status_of_any_claim_is_one_that_the_schema_takes() -> None:
    for number, chance in chances(2.0):
        size = chance.choice(("1Gi", long_text(chance, REQUEST)))
        annotations = {key: long_text(chance, ANNOTATIONS) for key in chance.sample(KEYS, 2)}
        spec = replaced(VOLUME["spec"], ("storage", "resources", "requests", "storage"), size)
        metadata = VOLUME["metadata"] | {"annotations": annotations}
        seen = SeenVolume(
            stored(DataVolume, {"metadata": metadata, "spec": spec}),
            claim=a_claim(chance) if chance.random() < 0.8 else None,
            storage_class=StorageClass(provisioner="x"),
            named_class="fast",
            profile=PROFILE,
            volumes=(stored(PersistentVolume, {"spec": {"capacity": {"storage": long_text(chance, 1000)}}}),),
            now=NOW,
        )
        with little_time(5, f"FUZZ_CASE={number}"):
            plan: Plan = decide(seen)
            status = status_of(seen, plan.hold)
        times = [time for past in status.history for time in (past.start, past.end)]
        times += [status.failure.next_attempt] if status.failure else []
        assert all(not time or moment(time) for time in times), f"FUZZ_CASE={number}"
        texts = [text for item in status.conditions for text in (item.reason, item.message)]
        assert all(len(text) < 10_000 for text in (*texts, status.progress)), f"FUZZ_CASE={number}"
