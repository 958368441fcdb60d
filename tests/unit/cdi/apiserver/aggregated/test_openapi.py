from __future__ import annotations

from cdi.apiserver.aggregated.openapi import version_2


def test_the_kind_is_described_and_found_by_what_it_is() -> None:
    document = version_2()
    ((name, schema),) = document["definitions"].items()
    kind = {"group": "upload.cdi.kubevirt.io", "version": "v1beta1", "kind": "UploadTokenRequest"}
    assert schema["x-kubernetes-group-version-kind"] == [kind]
    assert set(schema["properties"]) == {"apiVersion", "kind", "metadata", "spec", "status"}
    assert schema["properties"]["spec"]["properties"]["pvcName"]["type"] == "string"
    assert all(part["description"] for part in schema["properties"].values())
    ((path, collection),) = document["paths"].items()
    assert path == "/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/{namespace}/uploadtokenrequests"
    assert collection["post"]["parameters"][0]["schema"] == {"$ref": f"#/definitions/{name}"}
