"""The pod of an upload server: environment, volumes and labels of the contract. Pure."""

from __future__ import annotations

from cdi.base.wire.upload import PORT, TLS_DIR, Claim, UploadEnvironment
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.population.kind import Case
from cdi.controllers.population.kinds.uploading.identity import UntilDeadline, identity_secret, signed_for
from cdi.controllers.population.plan import Role, Wanted
from cdi.controllers.population.pod import Program, is_block, variables, worker_pod
from cdi.kube.resources import PODS
from cdi.trust.chains import UPLOAD_CLIENT_NAME

CONTAINER = "cdi-upload-server"
_IDENTITY, _STATE = "tls-config", "cdi-state-vol"
_OPEN_PORTS = {"k8s.ovn.org/open-default-ports": '[{"protocol":"tcp","port":8443}]'}
# The server is ready before its first probe, which the kubelet makes as soon as it runs.
_HEALTH = {"path": "/healthz", "port": PORT, "scheme": "HTTPS"}
_PROBE = {"httpGet": _HEALTH, "initialDelaySeconds": 0, "periodSeconds": 1}


_PROXY = (UPLOAD_CLIENT_NAME, "")


def upload_pod(case: Case, *, scratch: bool, client: tuple[str, str] = _PROXY) -> Wanted:
    """``client``: name and URI of the only one that is let in, the URI empty where its name is enough."""
    claim = case.claim.metadata
    program = Program(
        container=CONTAINER,
        image=case.seen.settings.uploadserver_image,
        command="/usr/bin/cdi-uploadserver",
        environment=variables(_told(case, client).encode()),
        port="upload",
        volumes=_volumes(case),
        labels={
            a.COMPONENT: a.UPLOAD_SERVER,
            "service": names.upload_service(claim.name),
            a.UPLOAD_TARGET_LABEL: claim.uid,
        },
        annotations={a.CREATED_BY_UPLOAD: "yes"} | _OPEN_PORTS,
        probe=_PROBE,
    )
    return Wanted(
        Role.WORKER,
        PODS,
        worker_pod(case, program, scratch=scratch),
        content=UntilDeadline(signed_for(case)),
        belongings=(identity_secret(case),),
    )


def _told(case: Case, client: tuple[str, str]) -> UploadEnvironment:
    """All but the deadline, which is known when the pod is made."""
    cluster = case.seen.cluster
    return UploadEnvironment(
        client_name=client[0],
        client_uri=client[1],
        image_size=str(case.target.spec.resources.requests.get("storage", "")),
        overhead=case.seen.overhead,
        preallocation=case.claim.metadata.annotations.get(a.PREALLOCATION_REQUESTED) == "true",
        ciphers=cluster.tls.suites,
        tls_min_version=cluster.tls.minimum,
        block=is_block(case.claim),
        claim=_claim(case),
    )


def _claim(case: Case) -> Claim:
    """The one that tokens are for."""
    asked = case.target.metadata
    archive = case.claim.metadata.annotations.get(a.CONTENT_TYPE) == "archive"
    return Claim(asked.namespace, asked.name, asked.uid, case.seen.settings.token_key, archive)


def _volumes(case: Case) -> list[tuple[dict[str, object], str]]:
    identity: dict[str, object] = {"name": _IDENTITY, "secret": {"secretName": names.upload(case.claim.metadata.name)}}
    found = [(identity, f"{TLS_DIR}/")]
    if is_block(case.claim):
        # Where the data path keeps the journal of a device: it must outlive a restart of the container.
        found.append(({"name": _STATE, "emptyDir": {}}, "/tmp"))  # noqa: S108
    return found
