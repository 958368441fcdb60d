"""Spec and status of the configuration, by example."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import to_builtins

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import CDIConfig, CDIConfigSpec, CDIConfigStatus
from cdi.controllers.cdiconfig.decide import AUTHORITY, Observed, spec_of, status_of
from cdi.kube.pods import Ingress, Route


def seen(spec: dict[str, Any] | None = None, *classes: str, **more: Any) -> Observed:
    config = msgspec.convert({"metadata": {"name": "config"}, "spec": spec or {}}, CDIConfig)
    return Observed(config, more.pop("system", None), classes, **more)


def system(config: dict[str, Any] | None, **annotations: str) -> CDI:
    return msgspec.convert({"metadata": {"name": "cdi", "annotations": annotations}, "spec": {"config": config}}, CDI)


def status(spec: dict[str, Any] | None = None, *classes: str, **more: Any) -> dict[str, Any]:
    """As it is written."""
    made: dict[str, Any] = to_builtins(status_of(seen(spec, *classes, **more)))
    return made


def ingress(*services: str | None, host: str = "upload.test", default: str = "") -> Ingress:
    def backend(name: str | None) -> dict[str, Any]:
        return {"service": {"name": name}} if name else {}

    rules = [{"host": host, "http": {"paths": [{"backend": backend(name)}]}} for name in services]
    spec: dict[str, Any] = {"rules": rules}
    if default:
        spec["defaultBackend"] = backend(default)
    return msgspec.convert({"metadata": {"name": "i"}, "spec": spec}, Ingress)


def test_the_cdi_object_is_the_authority() -> None:
    config = {"featureGates": ["Odd"]}
    known = seen(config, system=system({"featureGates": ["HonorWaitForFirstConsumer"], "preallocation": True}))
    assert spec_of(known).feature_gates == ["HonorWaitForFirstConsumer"]
    assert status_of(known).preallocation is True


@pytest.mark.parametrize("authority", [None, system(None)])
def test_a_cdi_object_that_says_nothing_leaves_the_configuration_alone(authority: CDI | None) -> None:
    assert spec_of(seen({"preallocation": True}, system=authority)).preallocation is True


def test_what_an_authority_says_no_more_holds_no_more() -> None:
    authority = system(None, **{AUTHORITY: ""})
    assert spec_of(seen({"preallocation": True, "featureGates": ["Odd"]}, system=authority)) == CDIConfigSpec()


def test_an_empty_configuration_of_the_cdi_object_empties_ours() -> None:
    assert spec_of(seen({"preallocation": True}, system=system({}))) == CDIConfigSpec()


def test_without_a_word_the_contract_s_defaults_hold() -> None:
    made = status(None, "fast", "slow")
    assert made["defaultPodResourceRequirements"] == {
        "limits": {"cpu": "750m", "memory": "600M"},
        "requests": {"cpu": "100m", "memory": "60M"},
    }
    assert made["filesystemOverhead"] == {"global": "0.06", "storageClass": {"fast": "0.06", "slow": "0.06"}}
    assert made["importProxy"] == {"HTTPProxy": "", "HTTPSProxy": "", "noProxy": "", "trustedCAProxy": ""}


def test_processor_and_memory_are_changed_each_by_itself_and_nothing_else_is() -> None:
    said = {"limits": {"cpu": "2", "nvidia.com/gpu": "1"}, "requests": {"memory": "1G"}}
    assert status({"podResourceRequirements": said})["defaultPodResourceRequirements"] == {
        "limits": {"cpu": "2", "memory": "600M"},
        "requests": {"cpu": "100m", "memory": "1G"},
    }


def test_every_class_has_its_overhead_or_the_global_one() -> None:
    said = {"global": "0.1", "storageClass": {"slow": "0.2", "gone": "0.3"}}
    overhead = status({"filesystemOverhead": said}, "slow", "fast")["filesystemOverhead"]
    assert overhead == {"global": "0.1", "storageClass": {"fast": "0.1", "slow": "0.2"}}


@pytest.mark.parametrize("wrong", ["", "1.1", "0.0001", "-0.1", "6%", "0.06\n", "0.\u0661"])
def test_an_overhead_that_is_no_fraction_is_ignored(wrong: str) -> None:
    said = {"global": wrong, "storageClass": {"fast": wrong}}
    assert status({"filesystemOverhead": said}, "fast")["filesystemOverhead"] == {
        "global": "0.06",
        "storageClass": {"fast": "0.06"},
    }


@pytest.mark.parametrize("right", ["0", "1", "0.5", "0.055"])
def test_an_overhead_has_up_to_three_digits(right: str) -> None:
    assert status({"filesystemOverhead": {"global": right}})["filesystemOverhead"]["global"] == right


def test_scratch_space_is_of_a_class_that_exists() -> None:
    said = {"scratchSpaceStorageClass": "fast"}
    assert status_of(seen(said, "fast")).scratch_space_storage_class == "fast"
    assert status_of(seen(said, "slow")).scratch_space_storage_class == ""


def test_a_proxy_is_taken_over_with_its_odd_names() -> None:
    said = {"HTTPProxy": "http://p:1", "noProxy": "a,b"}
    wanted = {"HTTPProxy": "http://p:1", "HTTPSProxy": "", "noProxy": "a,b", "trustedCAProxy": ""}
    assert status({"importProxy": said})["importProxy"] == wanted


def test_pull_secrets_are_told() -> None:
    assert status({"imagePullSecrets": [{"name": "s"}]})["imagePullSecrets"] == [{"name": "s"}]


@pytest.mark.parametrize(
    "found", [ingress("cdi-uploadproxy"), ingress("other", "cdi-uploadproxy"), ingress(None, default="cdi-uploadproxy")]
)
def test_an_ingress_to_the_upload_proxy_gives_its_host(found: Ingress) -> None:
    assert status(ingresses=(ingress("other"), found))["uploadProxyURL"] == "upload.test"


@pytest.mark.parametrize("found", [ingress(), ingress(None), ingress("other"), ingress(default="cdi-uploadproxy")])
def test_an_ingress_that_leads_elsewhere_gives_nothing(found: Ingress) -> None:
    assert "uploadProxyURL" not in status(ingresses=(found,))


def route(service: str, host: str = "route.test", kind: str = "Service") -> Route:
    spec = {"to": {"kind": kind, "name": service}}
    return msgspec.convert({"metadata": {"name": "r"}, "spec": spec, "status": {"ingress": [{"host": host}]}}, Route)


def test_a_route_to_the_upload_proxy_gives_the_host_that_it_was_admitted_at() -> None:
    assert status(routes=(route("other"), route("cdi-uploadproxy")))["uploadProxyURL"] == "route.test"
    admitted_nowhere = msgspec.convert({"spec": {"to": {"name": "cdi-uploadproxy"}}}, Route)
    assert "uploadProxyURL" not in status(routes=(admitted_nowhere,))


def test_an_ingress_is_asked_before_a_route() -> None:
    made = status(ingresses=(ingress("cdi-uploadproxy"),), routes=(route("cdi-uploadproxy"),))
    assert made["uploadProxyURL"] == "upload.test"


def test_a_url_that_somebody_says_is_the_url() -> None:
    made = status({"uploadProxyURLOverride": "https://mine"}, ingresses=(ingress("cdi-uploadproxy"),))
    assert made["uploadProxyURL"] == "https://mine"


def test_deciding_again_changes_nothing() -> None:
    spec = {"filesystemOverhead": {"global": "0.1"}, "preallocation": True}
    first = status_of(seen(spec, "fast"))
    again = CDIConfig(spec=msgspec.convert(spec, CDIConfigSpec), status=first)
    assert status_of(Observed(again, None, ("fast",))) == first
    assert first != CDIConfigStatus()
