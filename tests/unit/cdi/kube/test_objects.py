from __future__ import annotations

import msgspec
import pytest

from cdi.kube import resources
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim

POD = b"""{"apiVersion":"v1","kind":"Pod",
"metadata":{"name":"p","namespace":"n","uid":"u","resourceVersion":"7","creationTimestamp":null,
 "managedFields":[{"manager":"x"}],
 "ownerReferences":[{"kind":"A","name":"a","uid":"1"},{"kind":"B","name":"b","uid":"2","controller":true}]},
"spec":{"nodeName":"node1","containers":[{"name":"c","image":"i","resources":{}}],
 "volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"disk"}},{"name":"e","emptyDir":{}}]},
"status":{"phase":"Running","podIP":"10.0.0.1","conditions":[{"type":"Ready","status":"True","lastProbeTime":null}],
 "containerStatuses":[{"name":"c","restartCount":2,"state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}},
  "lastState":{"terminated":{"exitCode":1,"reason":"Error","message":"{}"}}}]}}"""


def test_a_pod_is_read_as_servers_send_it() -> None:
    pod = msgspec.json.decode(POD, type=Pod)
    assert pod.claims == ["disk"]
    assert pod.metadata.controller_uid == "2"
    assert pod.status.pod_ip == "10.0.0.1"
    [container] = pod.status.container_statuses
    assert container.restart_count == 2 and container.state.running and container.last_state.terminated
    assert container.last_state.terminated.exit_code == 1


def test_views_cannot_be_changed() -> None:
    pod = msgspec.json.decode(POD, type=Pod)
    with pytest.raises(AttributeError):
        pod.metadata.name = "other"


def test_a_claim_without_a_class_differs_from_one_with_the_empty_class() -> None:
    def claim(spec: str) -> PersistentVolumeClaim:
        return msgspec.json.decode(f'{{"spec":{{{spec}}}}}', type=PersistentVolumeClaim)

    assert claim("").spec.storage_class_name is None
    assert claim('"storageClassName":""').spec.storage_class_name == ""


def test_secret_values_are_decoded() -> None:
    secret = msgspec.json.decode(b'{"data":{"k":"dg=="}}', type=resources.SECRETS.type)
    assert secret.data == {"k": b"v"}
