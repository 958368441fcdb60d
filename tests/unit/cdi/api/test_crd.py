from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.structural import defects

from cdi.api.crd import definition, definitions, document
from cdi.api.kinds import KINDS, Kind

ROOT = Path(__file__).parents[4]
BY_NAME = {kind.name: kind for kind in KINDS}


def schema(name: str, *path: str) -> dict[str, Any]:
    at: dict[str, Any] = definition(BY_NAME[name])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for step in path:
        at = at["items"] if step == "[]" else at["properties"][step]
    return at


def version(name: str) -> dict[str, Any]:
    return dict(definition(BY_NAME[name])["spec"]["versions"][0])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_schema_is_structural(kind: Kind) -> None:
    for served in definition(kind)["spec"]["versions"]:
        assert list(defects(served["schema"]["openAPIV3Schema"])) == []


def undescribed(schema: dict[str, Any], at: str = "") -> list[str]:
    found = []
    for name, below in schema.get("properties", {}).items():
        if "description" not in below and (at, name) != ("", "metadata") and below != {"type": "object"}:
            found.append(f"{at}.{name}")
        found += undescribed(below, f"{at}.{name}")
    return found + (undescribed(schema["items"], f"{at}[]") if "items" in schema else [])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kubectl_explain_says_something_of_every_field(kind: Kind) -> None:
    whole = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert whole["description"].startswith(kind.name)
    assert undescribed(whole) == []


def test_the_committed_file_is_current() -> None:
    assert (ROOT / "deploy" / "crds.yaml").read_text() == document()


def test_every_kind_of_the_contract_is_defined_under_its_name() -> None:
    assert [one["metadata"]["name"] for one in definitions()] == [
        "datavolumes.cdi.kubevirt.io",
        "datasources.cdi.kubevirt.io",
        "dataimportcrons.cdi.kubevirt.io",
        "storageprofiles.cdi.kubevirt.io",
        "cdiconfigs.cdi.kubevirt.io",
        "cdis.cdi.kubevirt.io",
        "objecttransfers.cdi.kubevirt.io",
        "volumeimportsources.cdi.kubevirt.io",
        "volumeuploadsources.cdi.kubevirt.io",
        "volumeclonesources.cdi.kubevirt.io",
        "ovirtvolumepopulators.forklift.cdi.kubevirt.io",
        "openstackvolumepopulators.forklift.cdi.kubevirt.io",
    ]


def test_datavolumes_are_stored_as_v1beta1_and_served_as_v1alpha1_with_one_schema() -> None:
    new, old = definition(BY_NAME["DataVolume"])["spec"]["versions"]
    assert (new["name"], new["storage"], new["served"]) == ("v1beta1", True, True)
    assert (old["name"], old["storage"], old["served"]) == ("v1alpha1", False, True)
    assert new["schema"] == old["schema"]


def test_columns_of_datavolumes_are_the_contract_s_first() -> None:
    names = [column["name"] for column in version("DataVolume")["additionalPrinterColumns"]]
    assert names == ["Phase", "Progress", "Restarts", "Age", "Rate", "ETA", "Reason"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_columns_show_fields_that_exist(kind: Kind) -> None:
    for column in kind.columns:
        assert column.path == ".metadata.creationTimestamp" or schema(kind.name, *column.path.split(".")[1:])


def test_status_is_a_subresource_where_the_contract_says_so() -> None:
    with_status = {kind.name for kind in KINDS if version(kind.name).get("subresources") == {"status": {}}}
    assert with_status == {"DataVolume", "StorageProfile", "ObjectTransfer"}


def test_short_names_and_categories_are_the_contract_s() -> None:
    names = {kind.name: definition(kind)["spec"]["names"] for kind in KINDS}
    assert {name: one["shortNames"] for name, one in names.items() if "shortNames" in one} == {
        "DataVolume": ["dv", "dvs"],
        "DataSource": ["das"],
        "DataImportCron": ["dic", "dics"],
        "CDI": ["cdi", "cdis"],
        "ObjectTransfer": ["ot", "ots"],
        "OvirtVolumePopulator": ["ovvp", "ovvps"],
        "OpenstackVolumePopulator": ["osvp", "osvps"],
    }
    assert {name for name, one in names.items() if one.get("categories") == ["all"]} == {
        "DataVolume",
        "DataSource",
        "DataImportCron",
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_requires_its_spec(kind: Kind) -> None:
    assert schema(kind.name)["required"] == ["spec"]


@pytest.mark.parametrize(
    ("path", "required"),
    [
        ("spec", None),
        ("spec.source.http", ["url"]),
        ("spec.source.s3", ["url"]),
        ("spec.source.gcs", ["url"]),
        ("spec.source.registry", None),
        ("spec.source.vddk", None),
        ("spec.source.imageio", ["diskId", "url"]),
        ("spec.source.pvc", ["name", "namespace"]),
        ("spec.source.snapshot", ["name", "namespace"]),
        ("spec.sourceRef", ["kind", "name"]),
        ("spec.checkpoints.[]", ["current", "previous"]),
        ("spec.storage", None),
        ("spec.storage.dataSourceRef", ["kind", "name"]),
        ("status.conditions.[]", ["status", "type"]),
    ],
)
def test_a_datavolume_requires_what_the_contract_s_schema_requires(path: str, required: list[str] | None) -> None:
    assert schema("DataVolume", *path.split(".")).get("required") == required


def test_only_a_plain_claim_has_a_volume_attributes_class() -> None:
    assert "volumeAttributesClassName" in schema("DataVolume", "spec", "pvc")["properties"]
    assert "volumeAttributesClassName" not in schema("DataVolume", "spec", "storage")["properties"]
    assert "namespace" not in schema("DataVolume", "spec", "pvc", "dataSource")["properties"]


def test_enumerations_are_those_of_the_contract_and_no_more() -> None:
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        _enumerations(schema(kind.name, "spec"), kind.name, found)
    tls = "tlsSecurityProfile"
    profile = {
        f"{tls}.type": ["Old", "Intermediate", "Modern", "Custom"],
        f"{tls}.custom.minTLSVersion": ["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"],
    }
    assert found == {
        "DataVolume.contentType": ["kubevirt", "archive"],
        "DataImportCron.template.spec.contentType": ["kubevirt", "archive"],
        "StorageProfile.claimPropertySets.volumeMode": ["Block", "Filesystem"],
        "CDI.cloneStrategyOverride": ["copy", "snapshot", "csi-clone"],
        "CDI.imagePullPolicy": ["Always", "IfNotPresent", "Never"],
        "CDI.uninstallStrategy": ["RemoveWorkloads", "BlockUninstallIfWorkloadsExist"],
        **{f"CDI.config.{name}": values for name, values in profile.items()},
        **{f"CDIConfig.{name}": values for name, values in profile.items()},
    }


def _enumerations(schema: dict[str, Any], at: str, found: dict[str, list[str]]) -> None:
    if "enum" in schema:
        found[at] = schema["enum"]
    for name, below in schema.get("properties", {}).items():
        _enumerations(below, f"{at}.{name}", found)
    if "items" in schema:
        _enumerations(schema["items"], at, found)


def test_the_only_rules_are_those_of_access_modes() -> None:
    text = document()
    rule = "self.all(am, am in ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'])"
    modes = schema("StorageProfile", "spec", "claimPropertySets", "[]", "accessModes")
    assert modes["x-kubernetes-validations"] == [{"rule": rule, "message": "Illegal AccessMode"}]
    assert text.count("x-kubernetes-validations") == 2  # spec and status


def test_overheads_have_the_contract_s_pattern() -> None:
    overhead = schema("CDIConfig", "spec", "filesystemOverhead")
    assert overhead["properties"]["global"]["pattern"] == r"^(0(?:\.\d{1,3})?|1)$"
    assert overhead["properties"]["storageClass"]["additionalProperties"]["pattern"] == r"^(0(?:\.\d{1,3})?|1)$"


@pytest.mark.parametrize(
    ("kind", "path", "phrase"),
    [
        ("CDI", "status", "defines the status of the installation"),
        ("CDI", "status.targetVersion", "The desired version of the resource"),
        ("CDIConfig", "status", "most recently observed status"),
        ("CDIConfig", "status.uploadProxyURL", "The calculated upload proxy URL"),
        ("DataVolume", "status", "contains the current status of the DataVolume"),
        (
            "DataVolume",
            "status.restartCount",
            "RestartCount is the number of times the pod populating the DataVolume has",
        ),
    ],
)
def test_texts_that_clients_tests_look_for_are_there(kind: str, path: str, phrase: str) -> None:
    assert phrase in schema(kind, *path.split("."))["description"]
