"""etcd, the API server, the controller manager and the scheduler."""

from __future__ import annotations

from . import kubectl, place, processes
from .certificates import AUTHORITY, SERVICE_ACCOUNT_KEY, cert, key, kubeconfig
from .processes import Program
from .tools import program

_ETCD = "http://127.0.0.1:2379"
_ETCD_PEERS = "http://127.0.0.1:2380"


def etcd() -> Program:
    flags = {
        "data-dir": place.STATE / "etcd",
        "listen-client-urls": _ETCD,
        "advertise-client-urls": _ETCD,
        "listen-peer-urls": _ETCD_PEERS,
        "initial-advertise-peer-urls": _ETCD_PEERS,
        "initial-cluster": f"default={_ETCD_PEERS}",
        # A bed that dies with its machine is built again; waiting for the disk would make every write 5 ms.
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    return Program("etcd", (program("kube"), "etcd", *_flags(flags)))


def api_server() -> Program:
    flags = {
        "etcd-servers": _ETCD,
        "advertise-address": place.NODE_ADDRESS,
        "secure-port": "6443",
        "tls-cert-file": cert("apiserver"),
        "tls-private-key-file": key("apiserver"),
        "client-ca-file": AUTHORITY,
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": SERVICE_ACCOUNT_KEY,
        "service-account-signing-key-file": SERVICE_ACCOUNT_KEY,
        "service-cluster-ip-range": place.SERVICE_RANGE,
        "authorization-mode": "Node,RBAC",
        # CDI's own worker pods need no privilege; CSI drivers and tests that look at a device do.
        "allow-privileged": "true",
        "kubelet-client-certificate": cert("admin"),
        "kubelet-client-key": key("admin"),
        "kubelet-preferred-address-types": "InternalIP,Hostname",
        # The aggregated API (upload.cdi.kubevirt.io).
        "enable-aggregator-routing": "true",
        "proxy-client-cert-file": cert("front-proxy"),
        "proxy-client-key-file": key("front-proxy"),
        "requestheader-client-ca-file": AUTHORITY,
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    }
    return Program("apiserver", (program("kube"), "kube-apiserver", *_flags(flags)))


def controller_manager() -> Program:
    flags = {
        **_as_client("controller-manager"),
        "service-account-private-key-file": SERVICE_ACCOUNT_KEY,
        "root-ca-file": AUTHORITY,
        "use-service-account-credentials": "true",
        "allocate-node-cidrs": "true",
        "cluster-cidr": place.POD_RANGE,
        "node-cidr-mask-size": "24",
        # Claims of static volumes are looked at again this often; the default of 15 s is what a test would wait.
        "pvclaimbinder-sync-period": "1s",
    }
    return Program("controller-manager", (program("kube"), "kube-controller-manager", *_flags(flags)))


def scheduler() -> Program:
    return Program("scheduler", (program("kube"), "kube-scheduler", *_flags(_as_client("scheduler"))))


def programs() -> list[Program]:
    return [etcd(), api_server(), controller_manager(), scheduler()]


def start() -> None:
    processes.start(etcd())
    processes.start(api_server())
    wait_for_api_server()
    processes.start(controller_manager())
    processes.start(scheduler())


def wait_for_api_server() -> None:
    processes.wait("apiserver", kubectl.server_is_ready)


def _as_client(name: str) -> dict[str, object]:
    path = kubeconfig(name)
    return {
        "kubeconfig": path,
        "authentication-kubeconfig": path,
        "authorization-kubeconfig": path,
        "leader-elect": "false",
    }


def _flags(flags: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]
