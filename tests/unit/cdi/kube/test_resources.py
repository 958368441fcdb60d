from __future__ import annotations

from cdi.kube import resources
from cdi.kube.cdi_resources import DATA_VOLUMES


def test_paths_of_the_core_group() -> None:
    assert resources.PODS.path() == "/api/v1/pods"
    assert resources.PODS.path("ns") == "/api/v1/namespaces/ns/pods"
    assert resources.PODS.path("ns", "p", "log") == "/api/v1/namespaces/ns/pods/p/log"


def test_paths_of_named_groups() -> None:
    assert DATA_VOLUMES.path("a", "b", "status") == ("/apis/cdi.kubevirt.io/v1beta1/namespaces/a/datavolumes/b/status")
    assert DATA_VOLUMES.api_version == "cdi.kubevirt.io/v1beta1"


def test_cluster_wide_kinds_have_no_namespace_in_their_path() -> None:
    assert resources.VOLUMES.path("ignored", "pv") == "/api/v1/persistentvolumes/pv"


def test_a_name_cannot_leave_its_place() -> None:
    assert resources.PODS.path("ns", "../x?y") == "/api/v1/namespaces/ns/pods/..%2Fx%3Fy"
