"""The pod that reads the source of a clone and sends it to an upload server: the contract's source pod. Pure, but for
its certificate, which is made when it is."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import Any

from cdi.base.wire.clone import CREDENTIALS, SOURCE_DEVICE, SOURCE_DIR, CloneEnvironment
from cdi.base.wire.upload import PORT
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.population.cloning.names import name_of
from cdi.controllers.population.cloning.seen import mark_of
from cdi.controllers.population.kind import Case
from cdi.controllers.population.kinds.copying.pod import CONTAINER, labels_of
from cdi.controllers.population.missing import no_authority
from cdi.controllers.population.plan import Role, Wanted
from cdi.controllers.population.pod import Program, completed, is_block, variables, worker_pod
from cdi.controllers.settings import Settings
from cdi.kube.client import Client
from cdi.kube.errors import NotFound
from cdi.kube.resources import PODS, SECRETS
from cdi.kube.storage import PersistentVolumeClaim
from cdi.trust import clones
from cdi.trust.lifetimes import Lifetimes

_SERVER_CA = "SERVER_CA_CERT"


@dataclass(frozen=True, slots=True)
class LetIn:
    """Makes the certificate by which one upload server knows the pod, and tells the pod who vouches for that server."""

    copying: clones.Copying
    lifetimes: Lifetimes

    async def filled(self, wanted: Wanted, client: Client, settings: Settings) -> Wanted:
        """Raises ApiError: Missing while the authorities are not made, or are none."""
        try:
            found = await clones.authorities(client, settings.namespace)
            pair = clones.identity(found, self.copying, self.lifetimes, datetime.datetime.now(datetime.UTC))
        except (NotFound, ValueError) as error:
            raise no_authority("the pod that reads", error, settings) from error
        return completed(wanted, {_SERVER_CA: found.servers.decode()}, clones.data_of(pair))


def source_pod(case: Case, source: PersistentVolumeClaim, address: str, *, is_taken: bool) -> Wanted:
    """``address``: of the pod that writes. ``is_taken``: somebody else has the first of its names."""
    target, cluster = case.target.metadata, case.seen.cluster
    mark = mark_of(target)
    name = name_of(Role.SOURCE, target.uid, mark, is_taken=is_taken)
    program = Program(
        name=name,
        is_owned=False,  # the target may lie in another namespace
        container=CONTAINER,
        image=case.seen.settings.cloner_image,
        command="/usr/bin/cdi-cloner",
        environment=[
            *_told(case, source),
            *(_from_secret(name, key, variable) for key, variable in CREDENTIALS.items()),
        ],
        port="metrics",
        data_path=SOURCE_DIR,
        reads_only=True,
        labels=labels_of(name, source, case.target),
        annotations={
            a.CREATED_BY: "yes",
            a.OWN_CLONE_MARK: mark,
            a.OWN_ADDRESS: address,
            a.C + "storage.ownerRef": f"{target.namespace}/{target.name}",
        },
        affinity=_affinity(case, source),
        hosts={_server(case): address},
    )
    reading = replace(case, claim=source)
    copying = clones.Copying(_place(source), _place(case.target), target.uid)
    return Wanted(
        Role.SOURCE,
        PODS,
        worker_pod(reading, program, scratch=False),
        content=LetIn(copying, cluster.lifetimes),
        belongings=(_secret(case, source, name),),
    )


def _told(case: Case, source: PersistentVolumeClaim) -> list[dict[str, Any]]:
    target, annotations = case.target.metadata, case.target.metadata.annotations
    told = CloneEnvironment(
        mount_point=SOURCE_DEVICE if is_block(source) else SOURCE_DIR,
        block=is_block(source),
        archive=annotations.get(a.CONTENT_TYPE) == "archive",
        upload_url=f"https://{_server(case)}:{PORT}/v1beta1/upload",
        owner_uid=annotations.get(a.OWNER_UID) or target.uid,
        preallocation=annotations.get(a.PREALLOCATION_REQUESTED) == "true",
    )
    return variables(told.encode())


def _server(case: Case) -> str:
    """The name that its certificate has."""
    target = case.target.metadata
    return f"{names.upload_service(target.name)}.{target.namespace}.svc"


def _from_secret(secret: str, key: str, variable: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _affinity(case: Case, source: PersistentVolumeClaim) -> dict[str, Any]:
    """Beside the target if that can be; and where a volume can be on one node only, where those are who read it too."""
    target = case.target.metadata
    beside = {
        "labelSelector": {"matchLabels": {a.UPLOAD_TARGET_LABEL: target.uid}},
        "namespaces": [target.namespace],
        "topologyKey": _HOST,
    }
    found: dict[str, Any] = {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": beside}]
    }
    if source.spec.access_modes == ["ReadWriteOnce"]:
        readers = {"labelSelector": {"matchLabels": {a.CLONE_SOURCE_UID: source.metadata.uid}}, "topologyKey": _HOST}
        found["requiredDuringSchedulingIgnoredDuringExecution"] = [readers]
    return {"podAffinity": found}


_HOST = "kubernetes.io/hostname"


def _secret(case: Case, source: PersistentVolumeClaim, name: str) -> Wanted:
    """Goes with the pod."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": source.metadata.namespace,
            "labels": a.APP | dict(case.seen.settings.labels) | {a.COMPONENT: a.CLONE_SOURCE},
            "annotations": {a.CREATED_BY: "yes"},
        },
        "type": "kubernetes.io/tls",
    }
    return Wanted(Role.IDENTITY, SECRETS, body)


def _place(claim: PersistentVolumeClaim) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"
