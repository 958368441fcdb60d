"""What there is: the documents from which API servers and kubectl learn of our group. Pure, and the same for all.

An API server asks for everything at once (``APIGroupDiscoveryList``), in the newest form it knows; kubectl of an older
cluster asks level by level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdi.api.uploadtoken import GROUP, KIND, PLURAL, SHORT, SINGULAR, VERSION

Document = Mapping[str, Any]

GROUP_VERSION = f"{GROUP}/{VERSION}"
_VERSIONS = {"groupVersion": GROUP_VERSION, "version": VERSION}
_JSON = "application/json"
_AGGREGATED = ("v2", "v2beta1")  # of apidiscovery.k8s.io, the best first
_LONGEST = 1024  # characters of an Accept header that are looked at; an API server's has 150

_GROUP: Document = {
    "name": GROUP,
    "versions": [_VERSIONS],
    "preferredVersion": _VERSIONS,
    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
}

_RESOURCES: Document = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": GROUP_VERSION,
    "resources": [
        {
            "name": PLURAL,
            "singularName": SINGULAR,
            "namespaced": True,
            "group": GROUP,
            "version": VERSION,
            "kind": KIND,
            "verbs": ["create"],
            "shortNames": list(SHORT),
        }
    ],
}

# By path. The contract's: no certificate is needed to read them.
DOCUMENTS: Mapping[str, Document] = {
    "/": {
        "paths": [
            "/apis",
            f"/apis/{GROUP}",
            f"/apis/{GROUP_VERSION}",
            "/healthz",
            "/openapi/v2",
        ]
    },
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]},
    f"/apis/{GROUP}": {"kind": "APIGroup", "apiVersion": "v1", **_GROUP},
    f"/apis/{GROUP_VERSION}": _RESOURCES,
}


def everything(version: str) -> Document:
    """The APIGroupDiscoveryList of ``version``: one of ``apidiscovery.k8s.io``."""
    resource = {
        "resource": PLURAL,
        "responseKind": {"group": GROUP, "version": VERSION, "kind": KIND},
        "scope": "Namespaced",
        "singularResource": SINGULAR,
        "verbs": ["create"],
        "shortNames": list(SHORT),
    }
    served = {"version": VERSION, "resources": [resource], "freshness": "Current"}
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [{"metadata": {"name": GROUP, "creationTimestamp": None}, "versions": [served]}],
    }


def media_type(version: str) -> str:
    return f"{_JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


def wanted(accept: str) -> str:
    """Of ``/apis``: the version of the APIGroupDiscoveryList that is asked for first, empty for the plain list. What
    is asked for in no form of ours gets the plain one, as it did before there were others."""
    for part in accept[:_LONGEST].split(","):
        kind, *rest = (word.strip() for word in part.split(";"))
        said = dict(word.partition("=")[::2] for word in rest)
        if kind not in (_JSON, "application/*", "*/*"):
            continue
        if "as" not in said:
            return ""
        if (said["as"], said.get("g")) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io"):
            version = said.get("v", "")
            if version in _AGGREGATED:
                return version
    return ""
