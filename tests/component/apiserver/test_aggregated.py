"""The aggregated API behind a real API server: with kubectl for people, and with bare connections for strangers."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ADMIN, FRONT_NAME, ApiServer
from support.certificates import Authority, Pair
from support.webhooks import NAMESPACE, Kubectl, Process, soon

from cdi.base.tokens import public_key
from cdi.base.upload_permits import UploadPermit, upload_permit

GROUP = "upload.cdi.kubevirt.io"
VERSION = f"/apis/{GROUP}/v1beta1"
API_SERVICE = f"v1beta1.{GROUP}"
AUTHENTICATION = "extension-apiserver-authentication"
# Of a kind that can only be created kubectl wants to know whether it is a custom resource, which ordinary users may not
# look up: it is the same for a SelfSubjectAccessReview.
UNCHECKED = "--validate=false"


def asking(name: str, **changed: Any) -> dict[str, Any]:
    """As virtctl asks."""
    metadata = {"generateName": "token-for-virtctl-", "creationTimestamp": None}
    sent = {"kind": "UploadTokenRequest", "apiVersion": f"{GROUP}/v1beta1", "metadata": metadata}
    return sent | {"spec": {"pvcName": name}, "status": {}} | changed


CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "disk"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


@pytest.fixture(scope="module")
def available(kubectl: Kubectl, process: Process) -> None:
    """The API server has found what we serve."""
    kubectl.done("wait", "--for=condition=Available", f"apiservice/{API_SERVICE}", "--timeout=60s")


@pytest.fixture
def team(kubectl: Kubectl, namespace: str, available: None) -> str:
    """A namespace in which alice may edit, and victor view."""
    for name, role in (("alice", "edit"), ("victor", "view")):
        bound = (f"--user={name}", f"--clusterrole=cdi.kubevirt.io:{role}")
        kubectl.done("create", "rolebinding", name, "-n", namespace, *bound)
    return namespace


def permitted(kubectl: Kubectl, token: str) -> UploadPermit:
    """What the token says to whoever has the public key."""
    secret = kubectl.get("secret/cdi-api-signing-key", "-n", NAMESPACE)
    return upload_permit(token, public_key(base64.b64decode(secret["data"]["id_rsa.pub"])))


def token(kubectl: Kubectl, namespace: str, name: str, *words: str) -> str:
    said = ("-o", "jsonpath={.status.token}")
    return kubectl.done("create", "-f", "-", "-n", namespace, *words, UNCHECKED, *said, objects=asking(name))


def test_an_ordinary_user_gets_a_token_for_the_own_claim(kubectl: Kubectl, team: str) -> None:
    kubectl.done("create", "-f", "-", "-n", team, objects=CLAIM)
    uid = kubectl.get("pvc/disk", "-n", team)["metadata"]["uid"]
    assert permitted(kubectl, token(kubectl, team, "disk", "--as=alice")) == UploadPermit(team, "disk", uid)


def test_a_claim_that_is_not_there_yet_has_its_token_already(kubectl: Kubectl, team: str) -> None:
    assert permitted(kubectl, token(kubectl, team, "my.disk", "--as=alice")) == UploadPermit(team, "my.disk")


def test_the_answer_is_what_was_asked_with_a_token(kubectl: Kubectl, team: str) -> None:
    made = json.loads(kubectl.done("create", "-f", "-", "-n", team, "-o", "json", objects=asking("disk")))
    assert made.pop("status")["token"].count(".") == 2
    assert made["metadata"]["generateName"] == "token-for-virtctl-" and "name" not in made["metadata"]
    assert (made["kind"], made["spec"]) == ("UploadTokenRequest", {"pvcName": "disk"})


@pytest.mark.parametrize("user", ["victor", "mallory"])
def test_whoever_may_not_create_one_is_told_so(kubectl: Kubectl, team: str, user: str) -> None:
    done = kubectl.run("create", "-f", "-", "-n", team, f"--as={user}", UNCHECKED, objects=asking("disk"))
    assert done.returncode == 1
    assert done.stderr.endswith(
        f'User "{user}" cannot create resource "uploadtokenrequests" in API group "{GROUP}" in the namespace "{team}"\n'
    )
    assert "Forbidden" in done.stderr


def test_a_right_elsewhere_is_none_here(kubectl: Kubectl, team: str) -> None:
    kubectl.done("create", "namespace", f"{team}-other")
    done = kubectl.run("create", "-f", "-", "-n", f"{team}-other", "--as=alice", UNCHECKED, objects=asking("disk"))
    assert done.returncode == 1 and "Forbidden" in done.stderr


def test_a_user_of_many_groups_has_the_rights_of_each(kubectl: Kubectl, team: str) -> None:
    kubectl.done("create", "rolebinding", "last", "-n", team, "--group=g499", "--clusterrole=cdi.kubevirt.io:edit")
    groups = [f"--as-group=g{number}" for number in range(500)]
    assert permitted(kubectl, token(kubectl, team, "disk", "--as=carol", *groups)).name == "disk"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no name": (asking(""), "spec.pvcName: Required value"),
    "no name of a claim": (asking("../secrets"), 'spec.pvcName: Invalid value: "../secrets"'),
    "a number": (asking("a", spec={"pvcName": 7}), "pvcName"),
    "another namespace": (asking("a", metadata={"namespace": "default"}), "namespace"),
}


@pytest.mark.parametrize(("sent", "reason"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told(kubectl: Kubectl, team: str, sent: dict[str, Any], reason: str) -> None:
    done = kubectl.run("create", "-f", "-", "-n", team, "--as=alice", UNCHECKED, objects=sent)
    assert done.returncode == 1 and reason in done.stderr


def test_kubectl_knows_the_fields(kubectl: Kubectl, team: str) -> None:
    sent = asking("a", spec={"pvcName": "a", "pvc": "b"})
    done = kubectl.run("create", "-f", "-", "-n", team, objects=sent)
    assert done.returncode == 1 and 'unknown field "pvc"' in done.stderr


def test_they_are_created_and_nothing_else(kubectl: Kubectl, team: str) -> None:
    listed = kubectl.run("get", "--raw", f"{VERSION}/namespaces/{team}/uploadtokenrequests")
    assert listed.returncode == 1 and "MethodNotAllowed" in listed.stderr
    assert "can only be created" in listed.stderr


def test_kubectl_knows_the_kind_and_explains_it(kubectl: Kubectl, available: None) -> None:
    explained = kubectl.done("explain", "uploadtokenrequests", f"--api-version={GROUP}/v1beta1", "--recursive")
    assert "KIND:       UploadTokenRequest" in explained and "pvcName\t<string>" in explained
    resources = kubectl.done("api-resources", f"--api-group={GROUP}", "--no-headers", "-o", "wide")
    assert resources.split()[:5] == [
        "uploadtokenrequests",
        "utr,utrs",
        f"{GROUP}/v1beta1",
        "true",
        "UploadTokenRequest",
    ]
    assert resources.split()[5:] == ["create"]
    assert f"{GROUP}/v1beta1" in kubectl.done("api-versions").split()


def test_the_api_server_has_taken_in_discovery_and_schema(api: ApiServer, kubectl: Kubectl, available: None) -> None:
    def found() -> bool:
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        items = json.loads(_through(api, "/apis", accept)[1])["items"]
        versions = [version for item in items if item["metadata"]["name"] == GROUP for version in item["versions"]]
        return [(one["freshness"], one["resources"][0]["verbs"]) for one in versions] == [("Current", ["create"])]

    assert soon(found)
    paths = json.loads(kubectl.done("get", "--raw", "/openapi/v3"))["paths"]
    schema = kubectl.done("get", "--raw", paths[VERSION.removeprefix("/")]["serverRelativeURL"])
    assert '"kind":"UploadTokenRequest"' in schema
    binary = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"
    status, _ = _through(api, paths[VERSION.removeprefix("/")]["serverRelativeURL"], binary)
    assert status == 200
    assert "UploadTokenRequest" in kubectl.done("get", "--raw", "/openapi/v2")


def _through(api: ApiServer, path: str, accept: str) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=str(api.ca))
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, timeout=30, context=context)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {ADMIN}", "Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_an_api_service_that_forgot_whom_to_trust_is_mended(kubectl: Kubectl, available: None) -> None:
    what = f"apiservice/{API_SERVICE}"
    spec = kubectl.get(what)["spec"]
    assert (spec["groupPriorityMinimum"], spec["versionPriority"]) == (1000, 15)
    assert kubectl.get(what)["metadata"]["labels"]["cdi.kubevirt.io"] == "cdi-api"
    forget = '[{"op":"remove","path":"/spec/caBundle"},{"op":"add","path":"/spec/insecureSkipTLSVerify","value":true}]'
    kubectl.done("patch", what, "--type=json", "-p", forget)
    # A claim that is not completed makes the process look at everything again.
    config = '{"spec":{"certConfig":{"server":{"duration":"23h","renewBefore":"11h"}}}}'
    body = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDI", "metadata": {"name": "cdi"}, "spec": {}}
    kubectl.done("create", "-f", "-", objects=body)
    kubectl.done("patch", "cdi/cdi", "--type=merge", "-p", config)
    assert soon(lambda: kubectl.get(what)["spec"].get("caBundle") == spec["caBundle"])
    kubectl.done("wait", "--for=condition=Available", what, "--timeout=60s")


class Direct:
    """Past the API server. ``pair``: the client certificate that is shown."""

    def __init__(self, port: int, pair: Pair | None = None) -> None:
        context = ssl._create_unverified_context()
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)

    def answer(self, method: str, path: str, body: bytes = b"", headers: Any = ()) -> http.client.HTTPResponse:
        """``headers``: pairs, more than one of a name too."""
        self._connection.putrequest(method, path)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self._connection.putheader(name, value)
        self._connection.endheaders(body)
        return self._connection.getresponse()

    def status(self, body: bytes, headers: Any = ()) -> Any:
        """The Status or the object that a request for a token is answered with."""
        path = f"{VERSION}/namespaces/default/uploadtokenrequests"
        return json.load(self.answer("POST", path, body, [("Content-Type", "application/json"), *headers]))

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def direct(process: Process) -> Iterator[Callable[..., Direct]]:
    made: list[Direct] = []

    def connect(pair: Pair | None = None) -> Direct:
        made.append(Direct(process.port, pair))
        return made[-1]

    yield connect
    for one in made:
        one.close()


ROOT = (("X-Remote-User", "root"), ("X-Remote-Group", "system:masters"))
ASKING = json.dumps(asking("disk")).encode()


def test_an_api_server_is_believed_when_it_names_a_user(api: ApiServer, direct: Callable[..., Direct]) -> None:
    assert direct(api.front).status(ASKING, ROOT)["status"]["token"]


@pytest.mark.parametrize("headers", [(), ROOT], ids=["nobody", "forged"])
def test_whoever_shows_no_certificate_is_nobody(direct: Callable[..., Direct], headers: Any) -> None:
    said = direct().status(ASKING, headers)
    assert (said["kind"], said["code"], said["reason"]) == ("Status", 401, "Unauthorized")
    assert said["message"].startswith("the request is not authenticated")


def test_a_certificate_of_another_name_names_nobody(api: ApiServer, direct: Callable[..., Direct]) -> None:
    said = direct(api.front_authority.issue("somebody", "")).status(ASKING, ROOT)
    assert (said["code"], said["reason"]) == (401, "Unauthorized")
    assert "requestheader-allowed-names" in said["message"]


def test_a_certificate_of_another_authority_ends_the_handshake(tmp_path: Path, direct: Callable[..., Direct]) -> None:
    stranger = Authority(tmp_path, "front-proxy").issue(FRONT_NAME, "")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        direct(stranger).status(ASKING, ROOT)


def test_a_user_whom_nobody_names_is_none(api: ApiServer, direct: Callable[..., Direct]) -> None:
    said = direct(api.front).status(ASKING, [("X-Remote-Group", "system:masters")])
    assert said["code"] == 401 and "names no user" in said["message"]


def test_what_is_too_large_is_not_read(api: ApiServer, direct: Callable[..., Direct]) -> None:
    large = ASKING[:-1] + b" " * (64 << 10) + b"}"
    assert direct(api.front).status(large, ROOT)["code"] == 413
    groups = [("X-Remote-Group", f"g{number}") for number in range(10_000)]
    assert direct(api.front).answer("POST", f"{VERSION}/namespaces/a/uploadtokenrequests", b"", groups).status == 400
    assert direct(api.front).answer("GET", "/apis", headers=[("Accept", "a" * 60_000)]).status == 400
    said = direct(api.front).status(ASKING, [*ROOT, ("Content-Encoding", "gzip")])
    assert said["code"] == 415
    assert direct(api.front).status(ASKING, ROOT)["status"]["token"]


def test_documents_are_for_everybody(direct: Callable[..., Direct]) -> None:
    connection = direct()
    for path in ("/", "/apis", f"/apis/{GROUP}", VERSION, "/openapi/v2"):
        answer = connection.answer("GET", path)
        assert (answer.status, answer.getheader("X-Content-Type-Options")) == (200, "nosniff")
        assert json.load(answer)
        tag = answer.getheader("ETag")
        known = connection.answer("GET", path, headers=[("If-None-Match", tag)])
        assert (known.status, known.read()) == (304, b"")
    answer = connection.answer("GET", "/openapi/v3")
    assert (answer.status, answer.read()) == (404, b"404: Not Found")


def test_another_authority_of_api_servers_counts_without_a_restart(
    api: ApiServer, kubectl: Kubectl, team: str, tmp_path: Path, direct: Callable[..., Direct]
) -> None:
    """Last: it changes who the API server is. As an administrator does it: both are trusted, the new one is shown, and
    then only that is trusted."""
    other = Authority(tmp_path, "front-proxy-2")
    new = other.issue(FRONT_NAME, "")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        direct(new).status(ASKING, ROOT)
    with api.front_authority.cert.open("a") as trusted:
        trusted.write(other.cert.read_text())

    def counts(pair: Pair) -> bool:
        try:
            return "token" in direct(pair).status(ASKING, ROOT)["status"]
        except (ssl.SSLError, ConnectionError):
            return False

    assert soon(lambda: counts(new))
    old = Pair(tmp_path / "old.pem", tmp_path / "old.key")
    for kept, shown, replaced in ((old.cert, api.front.cert, new.cert), (old.key, api.front.key, new.key)):
        kept.write_text(shown.read_text())
        shown.write_text(replaced.read_text())
    assert counts(old)
    assert permitted(kubectl, token(kubectl, team, "disk", "--as=alice")).name == "disk"
    api.front_authority.cert.write_text(other.cert.read_text())
    trusted_now = {"data": {"requestheader-client-ca-file": other.cert.read_text()}}
    what = ("configmap", AUTHENTICATION, "-n", "kube-system")

    def forgotten() -> bool:
        """API servers add what they trust to what is there: one that has not read its file yet adds the old one."""
        kubectl.done("patch", *what, "--type=merge", "-p", json.dumps(trusted_now))
        return not counts(old)

    assert soon(forgotten)
    assert permitted(kubectl, token(kubectl, team, "disk", "--as=alice")).name == "disk"
    kubectl.done("wait", "--for=condition=Available", f"apiservice/{API_SERVICE}", "--timeout=60s")
