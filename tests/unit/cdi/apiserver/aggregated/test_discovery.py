from __future__ import annotations

import pytest

from cdi.apiserver.aggregated.discovery import DOCUMENTS, everything, wanted

ALL_AT_ONCE = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"{ALL_AT_ONCE.format('v2')},{ALL_AT_ONCE.format('v2beta1')}", "v2"),
        (f"{ALL_AT_ONCE.format('v2beta1')}, application/json", "v2beta1"),
        (f"{ALL_AT_ONCE.format('v3')},{ALL_AT_ONCE.format('v2beta1')}", "v2beta1"),
        (f"application/json,{ALL_AT_ONCE.format('v2')}", ""),
        ("application/json", ""),
        ("application/json, */*", ""),
        ("*/*", ""),
        ("", ""),
        ("application/vnd.kubernetes.protobuf", ""),
        ("application/json;as=APIGroupDiscoveryList;v=v2", ""),
        ("application/json;as=Table;g=apidiscovery.k8s.io;v=v2", ""),
        (";;;=,,,=;as", ""),
        ("," * 100_000 + ALL_AT_ONCE.format("v2"), ""),
    ],
)
def test_everything_at_once_is_for_who_asks_for_it(accept: str, form: str) -> None:
    assert wanted(accept) == form


def test_the_documents_say_what_can_be_created() -> None:
    group = DOCUMENTS["/apis/upload.cdi.kubevirt.io"]
    assert group["kind"] == "APIGroup" and group["preferredVersion"]["version"] == "v1beta1"
    assert group["serverAddressByClientCIDRs"] == [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}]
    assert DOCUMENTS["/apis"]["groups"][0]["name"] == "upload.cdi.kubevirt.io"
    assert DOCUMENTS["/apis/upload.cdi.kubevirt.io/v1beta1"]["resources"] == [
        {
            "name": "uploadtokenrequests",
            "singularName": "uploadtokenrequest",
            "namespaced": True,
            "group": "upload.cdi.kubevirt.io",
            "version": "v1beta1",
            "kind": "UploadTokenRequest",
            "verbs": ["create"],
            "shortNames": ["utr", "utrs"],
        }
    ]
    (item,) = everything("v2")["items"]
    assert item["versions"][0]["resources"][0]["scope"] == "Namespaced"
