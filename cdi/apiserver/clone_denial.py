"""What a person needs who may not clone something: the right, by name, and a RoleBinding that gives it. Pure."""

from __future__ import annotations

import hashlib
import json

from cdi.api.datavolume import VolumeRef
from cdi.kube.reviews import UserInfo

_ACCOUNT = "system:serviceaccount:"
_NAMES = 1024  # characters: a user's name longer than that is not printed
_ROLE = "cdi.kubevirt.io:clone-sourcer"  # installed with the system: create datavolumes/source
_GROUP = "rbac.authorization.k8s.io"


def advice(user: UserInfo, source: VolumeRef) -> str:
    """After the contract's sentence. What people named goes in as JSON strings, which are YAML too."""
    right = (
        f"It takes the right to create datavolumes/source (group cdi.kubevirt.io) named {source.name} "
        f"in namespace {source.namespace}"
    )
    if not user.username or len(user.username) > _NAMES:
        return right
    named = hashlib.sha256(user.username.encode()).hexdigest()[:8]
    return (
        f"{right}. Try: have somebody who administers that namespace apply\n"
        f"apiVersion: {_GROUP}/v1\n"
        "kind: RoleBinding\n"
        f"metadata: {{name: clone-sourcer-{named}, namespace: {json.dumps(source.namespace)}}}\n"
        f"roleRef: {{apiGroup: {_GROUP}, kind: ClusterRole, name: {json.dumps(_ROLE)}}}\n"
        f"subjects: [{_subject(user.username)}]\n"
    )


def _subject(username: str) -> str:
    namespace, _, name = username.removeprefix(_ACCOUNT).partition(":")
    if username.startswith(_ACCOUNT) and namespace and name:
        return f"{{kind: ServiceAccount, namespace: {json.dumps(namespace)}, name: {json.dumps(name)}}}"
    return f"{{apiGroup: {_GROUP}, kind: User, name: {json.dumps(username)}}}"
