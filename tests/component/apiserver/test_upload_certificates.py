"""cdi-apiserver makes and renews the certificates of uploads with its own rights; the controller signs with them."""

from __future__ import annotations

import datetime
from functools import partial

from support.apiserver import ApiServer
from support.asynchronous import asynchronous
from support.controller import wait_until
from support.webhooks import NAMESPACE, Kubectl, Process

from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.resources import CONFIG_MAPS, SECRETS
from cdi.trust import certificates
from cdi.trust.chains import BUNDLE_KEY, UPLOAD_CLIENT, UPLOAD_PROXY, UPLOAD_SERVER
from cdi.trust.lifetimes import Lifetimes
from cdi.trust.uploadserver import authorities, identity

CHAINS = (UPLOAD_PROXY, UPLOAD_SERVER, UPLOAD_CLIENT)
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:cdi-apiserver"
SECRET_NAMES = [name for chain in CHAINS for name in chain.secrets]


def made(kubectl: Kubectl) -> dict[str, str]:
    """Certificate by Secret, as far as they are there."""
    found = kubectl.get("secrets", "-n", NAMESPACE)["items"]
    return {one["metadata"]["name"]: one["data"]["tls.crt"] for one in found if one["type"] == "kubernetes.io/tls"}


def test_all_are_made_and_other_lifetimes_count_for_all(process: Process, kubectl: Kubectl) -> None:
    wait_until(lambda: set(SECRET_NAMES) <= set(made(kubectl)), "all are made")
    before = made(kubectl)
    life = {"ca": {"duration": "20m", "renewBefore": "10m"}}
    ends = {name: {"duration": "5m", "renewBefore": "2m"} for name in ("server", "client")}
    system = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDI", "metadata": {"name": "cdi"}}
    kubectl.done("apply", "-f", "-", objects=system | {"spec": {"certConfig": life | ends}})

    def renewed() -> bool:
        """What they signed waits until they are known, as the API server's does."""
        now = made(kubectl)
        return all(now[chain.signer] != before[chain.signer] for chain in CHAINS)

    wait_until(renewed, "all authorities are made anew")
    for chain in CHAINS:
        wait_until(partial(_trusts_both, kubectl, chain.bundle), f"{chain.bundle} has both")
    for name in SECRET_NAMES:
        allowed = kubectl.done("auth", "can-i", "patch", f"secret/{name}", "-n", NAMESPACE, f"--as={ACCOUNT}")
        assert allowed.strip() == "yes"
    assert "not checked" not in process.log.read_text()


def _trusts_both(kubectl: Kubectl, bundle: str) -> bool:
    data = kubectl.get("configmap", bundle, "-n", NAMESPACE)["data"]
    return len(certificates.split(data[BUNDLE_KEY].encode())) == 2


@asynchronous
async def test_the_controller_signs_for_a_pod_what_the_proxy_believes(
    api: ApiServer, process: Process, kubectl: Kubectl
) -> None:
    wait_until(lambda: set(SECRET_NAMES) <= set(made(kubectl)), "all are made")
    token = kubectl.done("create", "token", "cdi-sa", "-n", NAMESPACE).strip()
    async with Client(load(str(api.kubeconfig(token)))) as controller:
        found = await authorities(controller, NAMESPACE)
    issued = identity(found, "cdi-upload-disk", "team", Lifetimes(), datetime.datetime.now(datetime.UTC))
    async with Client(load(str(api.kubeconfig()))) as client:
        bundle = (await client.get(CONFIG_MAPS, UPLOAD_SERVER.bundle, NAMESPACE)).data[BUNDLE_KEY].encode()
        proxy = (await client.get(SECRETS, UPLOAD_CLIENT.target, NAMESPACE)).data["tls.crt"]
    assert any(certificates.is_signed_by(issued.certificate, one) for one in certificates.split(bundle))
    assert any(certificates.is_signed_by(proxy, one) for one in certificates.split(issued.clients))
