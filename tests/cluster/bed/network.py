"""The pod network: a cable per pod, Services by kube-proxy, names by CoreDNS.

Pods have no way out of the namespace. They reach programs of the bed and of tests at ``place.NODE_ADDRESS``.
Everything a pod sends is routed by the node, also to its neighbour, so that nft rules see it. A bridge would hand a
Service's answer straight to the neighbour, who had asked another address, unless the kernel has br_netfilter.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from . import kubectl, netns, place, processes
from .certificates import kubeconfig
from .processes import Program
from .tools import program

PLUGINS = Path("/usr/lib/cni")
CONFIGURATION = place.STATE / "cni"
_LEASES = place.STATE / "cni-leases"
_COREDNS_READY = "127.0.0.1:8181"
_PROXY = place.STATE / "kube-proxy.yaml"
_COREFILE = place.STATE / "Corefile"


def configure() -> None:
    """What containerd must find before the node is Ready."""
    CONFIGURATION.mkdir()
    _LEASES.mkdir()
    addresses = {
        "type": "host-local",
        "dataDir": str(_LEASES),  # not the machine's /var/lib/cni: leases must not outlive the bed
        "ranges": [[{"subnet": place.POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    # No ipMasq: there is nothing outside to be hidden from, and the plugin would need iptables.
    cable = {"type": "ptp", "ipam": addresses}
    (CONFIGURATION / "10-pods.conflist").write_text(
        json.dumps({"cniVersion": "1.0.0", "name": f"{place.NAME}.pods", "plugins": [cable]})
    )


def start() -> None:
    _PROXY.write_text(json.dumps(_proxy_configuration()))
    _COREFILE.write_text(_corefile())
    for one in programs():
        processes.start(one)
    kubectl.apply(*_name_service())


def wait_until_ready() -> None:
    processes.wait("coredns", _names_are_served)


def _names_are_served() -> bool:
    """CoreDNS' plugin `ready` answers once it has seen every Service."""
    with netns.entered():
        connection = http.client.HTTPConnection(_COREDNS_READY, timeout=1)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


def programs() -> list[Program]:
    return [
        Program("kube-proxy", (program("kube"), "kube-proxy", f"--config={_PROXY}")),
        Program("coredns", (program("coredns"), "-conf", _COREFILE)),
    ]


def _proxy_configuration() -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": place.POD_RANGE,
        "clientConnection": {"kubeconfig": str(kubeconfig("kube-proxy"))},
        "conntrack": {"maxPerCore": 0, "min": 0},  # the machine's limits are not ours to change
        "hostnameOverride": place.NODE,
        "metricsBindAddress": "127.0.0.1:10249",
    }


def _corefile() -> str:
    return f"""\
.:53 {{
    bind {place.NODE_ADDRESS}
    errors
    ready {_COREDNS_READY}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {place.KUBECONFIG} bed
        pods insecure
    }}
    cache 5
}}
"""


def _name_service() -> list[dict[str, Any]]:
    """A Service without a selector: CoreDNS is no pod, it runs on the node."""
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [("dns", "UDP"), ("dns-tcp", "TCP")]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": place.DNS_SERVICE,
            "ports": [{"name": name, "protocol": protocol, "port": 53} for name, protocol in ports],
        },
    }
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "ports": [{"name": name, "protocol": protocol, "port": 53} for name, protocol in ports],
        "endpoints": [{"addresses": [place.NODE_ADDRESS], "conditions": {"ready": True}}],
    }
    return [service, slices]
