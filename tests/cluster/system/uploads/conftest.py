"""The upload proxy as a client outside of the cluster sees it."""

from __future__ import annotations

import pytest
from support.kinds import Cluster
from support.virtctl import Proxy


@pytest.fixture
def proxy(kinds: Cluster) -> Proxy:
    service = kinds.get("Service", "cdi-uploadproxy", "cdi")["spec"]
    bundle = kinds.get("ConfigMap", "cdi-uploadproxy-signer-bundle", "cdi")["data"]["ca-bundle.crt"]
    return Proxy(service["clusterIP"], service["ports"][0]["port"], "cdi-uploadproxy.cdi.svc", bundle)
