"""The cluster's certificate authority, a certificate per program, and kubeconfigs with them inside."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from . import place
from .command import run

AUTHORITY = place.PKI / "ca.crt"
_AUTHORITY_KEY = place.PKI / "ca.key"
SERVICE_ACCOUNT_KEY = place.PKI / "service-accounts.key"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_SERVERS = (
    f"DNS:localhost,DNS:{place.NODE},DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
    f"DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:{place.API_SERVICE},IP:{place.NODE_ADDRESS}"
)
# Name of the files -> the subject that Kubernetes' authorizer knows the program by.
_SUBJECTS = {
    "apiserver": "/CN=kube-apiserver",
    "admin": "/O=system:masters/CN=admin",
    "front-proxy": "/CN=front-proxy-client",
    "kubelet": f"/O=system:nodes/CN=system:node:{place.NODE}",
    "scheduler": "/CN=system:kube-scheduler",
    "controller-manager": "/CN=system:kube-controller-manager",
    "kube-proxy": "/CN=system:kube-proxy",
}
_WITH_KUBECONFIG = ("admin", "kubelet", "scheduler", "controller-manager", "kube-proxy")


def cert(name: str) -> Path:
    return place.PKI / f"{name}.crt"


def key(name: str) -> Path:
    return place.PKI / f"{name}.key"


def kubeconfig(name: str) -> Path:
    return place.STATE / f"{name}.kubeconfig"


def create() -> None:
    place.PKI.mkdir(parents=True, mode=0o700)
    run("openssl", "req", "-x509", *_NEW_KEY, "-days", "365", "-subj", "/CN=kubernetes",
        "-keyout", _AUTHORITY_KEY, "-out", AUTHORITY,
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    run("openssl", "genrsa", "-out", SERVICE_ACCOUNT_KEY, "2048")
    for name, subject in _SUBJECTS.items():
        _issue(name, subject)
    for name in _WITH_KUBECONFIG:
        _write_kubeconfig(name)


def _issue(name: str, subject: str) -> None:
    request, extensions = place.PKI / f"{name}.csr", place.PKI / f"{name}.ext"
    extensions.write_text(f"subjectAltName={_SERVERS}\nextendedKeyUsage=serverAuth,clientAuth\n")
    run("openssl", "req", "-new", *_NEW_KEY, "-subj", subject, "-keyout", key(name), "-out", request)
    run("openssl", "x509", "-req", "-in", request, "-CA", AUTHORITY, "-CAkey", _AUTHORITY_KEY, "-CAcreateserial",
        "-days", "365", "-extfile", extensions, "-out", cert(name))  # fmt: skip


def _write_kubeconfig(name: str) -> None:
    def inline(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    user = {"client-certificate-data": inline(cert(name)), "client-key-data": inline(key(name))}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bed", "cluster": {
            "server": place.API_SERVER, "certificate-authority-data": inline(AUTHORITY)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": name}}],
        "current-context": "bed",
    }  # fmt: skip
    path = kubeconfig(name)
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))
