"""Upload tokens as users of a cluster get them: through the API server, the service, and the pod's own rights."""

from __future__ import annotations

import base64
import json

import support.cluster
from support.kinds import Namespace

from cdi.base.tokens import public_key
from cdi.base.upload_permits import UploadPermit, upload_permit

API_SERVICE = "v1beta1.upload.cdi.kubevirt.io"


def test_an_editor_of_a_namespace_gets_a_token_there(installed: support.cluster.Cluster, space: Namespace) -> None:
    kubectl = installed.kubectl
    kubectl("wait", "--for=condition=Available", f"apiservice/{API_SERVICE}", "--timeout=60s")
    kubectl("create", "rolebinding", "alice", "-n", space.name, "--user=alice", "--clusterrole=edit")
    kind = {"apiVersion": "upload.cdi.kubevirt.io/v1beta1", "kind": "UploadTokenRequest"}
    asking = json.dumps({**kind, "metadata": {"name": "disk"}, "spec": {"pvcName": "disk"}})
    # kubectl checks no kind that can only be created: it would look for a custom resource, which alice may not.
    words = ("-n", space.name, "--as=alice", "--validate=false", "-o", "jsonpath={.status.token}")
    token = kubectl("create", "-f", "-", *words, input_text=asking)
    secret = installed.get("/api/v1/namespaces/cdi/secrets/cdi-api-signing-key")
    assert secret is not None
    key = public_key(base64.b64decode(secret["data"]["id_rsa.pub"]))
    assert upload_permit(token, key) == UploadPermit(space.name, "disk")
    explained = kubectl("explain", "uploadtokenrequests.spec", "--api-version=upload.cdi.kubevirt.io/v1beta1")
    assert "pvcName" in explained
