"""A pod in a namespace of a tenant asks our webhook itself, as if it were an API server."""

from __future__ import annotations

import json

from support.cluster import Namespace as Pods
from support.kinds import Namespace
from support.manifests import claim, datavolume

TOKEN = "cdi.kubevirt.io/storage.clone.token"
_ASK = """
import http.client, json, ssl
review, paths = json.loads(REVIEW), json.loads(PATHS)
for path in paths:
    connection = http.client.HTTPSConnection("cdi-api.cdi.svc", timeout=20, context=ssl._create_unverified_context())
    connection.request("POST", path, json.dumps(review))
    answer = connection.getresponse()
    print(answer.status, answer.read().decode().replace(chr(10), " "))
"""
_PATHS = ["/datavolume-mutate", "/datavolume-mutate/", "/datavolume-mutate/guess", f"/datavolume-mutate/{'0' * 40}"]


def test_a_pod_gets_no_token_for_a_volume_of_others(namespace: Pods, space: Namespace) -> None:
    volume = datavolume("disk", {"pvc": {"namespace": "default", "name": "theirs"}}, pvc=claim("64Mi"))
    made = space.create(volume)  # as an administrator, through an API server
    assert made["metadata"]["annotations"][TOKEN].count(".") == 2
    request = {
        "uid": "1",
        "operation": "CREATE",
        "namespace": namespace.name,
        "name": "disk",
        "userInfo": {"username": "admin", "groups": ["system:masters"]},
        "resource": {"group": "cdi.kubevirt.io", "version": "v1beta1", "resource": "datavolumes"},
        "object": volume,
    }
    review = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
    script = _ASK.replace("REVIEW", repr(review)).replace("PATHS", repr(json.dumps(_PATHS)))
    answers = namespace.run("forger", f"python3 - <<'END'\n{script}\nEND\n").splitlines()
    assert len(answers) == len(_PATHS)
    assert answers[0].startswith("200 ") and "did not come by the path that only API servers know" in answers[0]
    assert [answer for answer in answers if '"patch"' in answer] == []
