"""Workers of a claim that asks for nothing: its own is known as such, one of a former claim of its name is a stray."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from cdi.contract import annotations as a
from cdi.controllers.population.observe import Observer, Stores, add_indexes
from cdi.controllers.population.outside import Outside
from cdi.controllers.population.plan import Role
from cdi.controllers.population.progress import Followers
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.pods import Pod, Service
from cdi.kube.resources import SERVICES
from cdi.kube.storage import PersistentVolumeClaim
from cdi.kube.store import Key, Store

KEY = Key("ns", "disk")
PLAIN = msgspec.convert({"metadata": {"name": "disk", "namespace": "ns", "uid": "c1"}}, PersistentVolumeClaim)


def owned(name: str, uid: str, kind: type[Any], **notes: str) -> Any:
    owner = {"kind": "PersistentVolumeClaim", "name": "disk", "uid": uid, "controller": True}
    metadata = {"name": name, "namespace": "ns", "uid": f"of-{uid}", "ownerReferences": [owner], "annotations": notes}
    return msgspec.convert({"metadata": metadata}, kind)


def observer(*pods: Pod) -> Observer:
    services = Store[Service]()
    services.put(Key("ns", "cdi-upload-disk"), owned("cdi-upload-disk", "c1", Service), "1")
    stores = Stores(Store(), Store[Pod](), Store(), {}, Store(), Store(), Store(), companions={SERVICES: services})
    add_indexes(stores)
    for pod in pods:
        stores.pods.put(Key("ns", pod.metadata.name), pod, "1")
    client = cast(Client, None)
    return Observer(stores, Settings(), Followers(client, lambda _: None), Written(), Outside(client, lambda _: None))


@pytest.mark.parametrize("name", ["importer-disk", "cdi-upload-disk"])
def test_a_worker_of_a_former_claim_is_a_stray(name: str) -> None:
    found = observer(owned(name, "c0", Pod, **{a.OWN_TARGET: "disk"}))
    assert found._objects(PLAIN, KEY) == {}
    assert [pod.metadata.name for pod in found._strays(None, KEY)] == [name]


def test_what_stands_beside_its_own_worker_is_known_too() -> None:
    found = observer(owned("cdi-upload-disk", "c1", Pod, **{a.OWN_TARGET: "disk"}))
    assert set(found._objects(PLAIN, KEY)) == {Role.WORKER, Role.SERVICE}
