"""The schema of our kind as OpenAPI v2, from its type.

Version 3, for which ``kubectl explain`` asks, is made of it by the API server (for a server that answers 404 at
``/openapi/v3``), in JSON and in the binary form that kubectl's validation wants and that we would have to imitate.
"""

from __future__ import annotations

from typing import Any

from cdi.api.schema import Schema, schema_of
from cdi.api.uploadtoken import GROUP, KIND, PLURAL, VERSION, UploadTokenRequest

_NAME = f"io.kubevirt.cdi.upload.{VERSION}.{KIND}"
_GVK = {"group": GROUP, "version": VERSION, "kind": KIND}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_METADATA = {
    "description": "Standard object's metadata. It comes back as it was sent.",
    "type": "object",
    "properties": {
        "name": {"description": "Name of the request.", "type": "string"},
        "generateName": {"description": "Beginning of the name of the request.", "type": "string"},
        "namespace": {"description": "Namespace of the claim.", "type": "string"},
        "labels": {"description": "Labels of the request.", **_TEXTS},
        "annotations": {"description": "Annotations of the request.", **_TEXTS},
        "creationTimestamp": {"description": "Not set: nothing is kept.", "type": "string", "format": "date-time"},
    },
}


def version_2() -> dict[str, Any]:
    return {
        "swagger": "2.0",
        "info": {"title": "CDI upload API", "version": VERSION},
        "paths": {f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{PLURAL}": _collection()},
        "definitions": {_NAME: _schema()},
    }


def _schema() -> Schema:
    """Explaining finds it by the kind that it names."""
    schema = schema_of(UploadTokenRequest)
    schema["properties"]["metadata"] = _METADATA
    return schema | {"x-kubernetes-group-version-kind": [_GVK]}


def _collection() -> dict[str, Any]:
    body = {"in": "body", "name": "body", "required": True, "schema": {"$ref": f"#/definitions/{_NAME}"}}
    place = {"in": "path", "name": "namespace", "required": True, "type": "string", "uniqueItems": True}
    answer = {"description": "The same object with a token.", "schema": {"$ref": f"#/definitions/{_NAME}"}}
    return {
        "parameters": [place],
        "post": {
            "description": "Ask for a token to upload to a claim.",
            "consumes": ["application/json"],
            "produces": ["application/json"],
            "schemes": ["https"],
            "tags": [f"upload_{VERSION}"],
            "operationId": f"createUpload{VERSION.capitalize()}Namespaced{KIND}",
            "parameters": [body],
            "responses": {"200": answer, "401": {"description": "Unauthorized"}},
            "x-kubernetes-action": "post",
            "x-kubernetes-group-version-kind": _GVK,
        },
    }
