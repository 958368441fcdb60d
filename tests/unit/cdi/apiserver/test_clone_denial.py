"""What a person needs who may not clone something."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cdi.api.datavolume import VolumeRef
from cdi.apiserver.clone_denial import advice
from cdi.kube.reviews import UserInfo

SOURCE = VolumeRef("images", "fedora")
GROUP = "rbac.authorization.k8s.io"


def printed(username: str) -> Any:
    _, text = advice(UserInfo(username), SOURCE).split(" apply\n", 1)
    return yaml.safe_load(text)


def test_the_right_is_named_and_a_binding_gives_it() -> None:
    assert "create datavolumes/source (group cdi.kubevirt.io) named fedora in namespace images" in advice(
        UserInfo("alice"), SOURCE
    )
    binding = printed("alice")
    assert binding["metadata"]["namespace"] == "images"
    assert binding["roleRef"] == {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cdi.kubevirt.io:clone-sourcer"}
    assert binding["subjects"] == [{"apiGroup": GROUP, "kind": "User", "name": "alice"}]


def test_a_service_account_is_bound_as_one() -> None:
    assert printed("system:serviceaccount:team:robot")["subjects"] == [
        {"kind": "ServiceAccount", "namespace": "team", "name": "robot"}
    ]


@pytest.mark.parametrize("username", ['a"b', "a\nb: c", "{x}", "system:serviceaccount:", "käthe", "a: b, c: [d]"])
def test_a_name_is_nothing_but_a_name(username: str) -> None:
    binding = printed(username)
    assert binding["subjects"] == [{"apiGroup": GROUP, "kind": "User", "name": username}]
    assert set(binding) == {"apiVersion", "kind", "metadata", "roleRef", "subjects"}


@pytest.mark.parametrize("username", ["", "x" * 100_000])
def test_whose_name_cannot_be_printed_learns_the_right_at_least(username: str) -> None:
    text = advice(UserInfo(username), SOURCE)
    assert "datavolumes/source" in text and "RoleBinding" not in text
    assert len(text) < 1000
