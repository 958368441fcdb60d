"""What one event costs does not grow with what is there: nothing is walked through, and only those hear of it whom it
may help."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import CDIConfig
from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume
from cdi.api.storageprofile import StorageProfile
from cdi.controllers.claims.stores import Snapshots, Stores
from cdi.controllers.datasource.reconcile import DataSources
from cdi.controllers.datasource.reconcile import Stores as SourceStores
from cdi.controllers.datavolume.observe import VolumeStores
from cdi.controllers.datavolume.reconciler import DataVolumes
from cdi.controllers.population.outside import Outside
from cdi.controllers.population.reconciler import Population
from cdi.controllers.settings import Settings
from cdi.controllers.storageprofile.reconcile import StorageProfiles
from cdi.controllers.storageprofile.reconcile import Stores as ProfileStores
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.decoding import read
from cdi.kube.pods import Pod
from cdi.kube.recorder import Recorder
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshotClass
from cdi.kube.store import Key, Store
from cdi.trust.tokens import Signer
from storageprofiles.classes import KUBERNETES_DEFAULT

T = TypeVar("T")
CROWD = 300  # enough to tell one from all


class Walked(Store[T]):
    """Counts walks through all of it."""

    walks = 0

    def all(self) -> list[T]:
        self.walks += 1
        return super().all()


class Controllers:
    def __init__(self) -> None:
        client, recorder, settings = cast(Client, None), cast(Recorder, None), Settings()
        self.claims, self.pods = Walked[PersistentVolumeClaim](), Walked[Pod]()
        self.volumes, self.classes = Walked[PersistentVolume](), Walked[StorageClass]()
        self.configs, self.systems = Store[CDIConfig](), Store[CDI]()
        self.datavolumes, self.profiles = Walked[DataVolume](), Walked[StorageProfile]()
        self.sources, self.referred = Walked[Any](), Walked[DataSource]()
        self.snapshot_classes = Walked[VolumeSnapshotClass]()
        sources = {"VolumeImportSource": self.sources, "VolumeCloneSource": Walked[Any]()}
        shared = Stores(self.claims, self.pods, self.volumes, sources, self.classes, self.configs, self.systems)
        snapshots = Snapshots(Walked(), Walked(), self.snapshot_classes)
        signer = cast(Signer, SimpleNamespace(verified=lambda _: None))
        own = VolumeStores(self.datavolumes, self.profiles, Store(), self.referred, snapshots, signer)
        population = Population(Outside(client, signer.verified), shared, recorder, settings)
        datavolumes = DataVolumes(client, (shared, own), recorder, settings, population)
        profiles = StorageProfiles(
            client,
            ProfileStores(
                self.profiles, self.classes, self.volumes, Store(), self.systems, self.snapshot_classes
            ),
            "cdi",
        )  # fmt: skip
        sources = DataSources(client, SourceStores(self.referred, self.datavolumes, self.claims, Store()))
        parts = (population, datavolumes, profiles, sources)
        self.controllers: list[Controller] = [part.controller for part in parts]
        self._version = 0

    def put(self, store: Store[Any], kind: type[Any], name: str, namespace: str = "", **members: Any) -> None:
        self._version += 1
        metadata = {"name": name, "namespace": namespace, "uid": name, "resourceVersion": str(self._version)}
        metadata |= members.pop("metadata", {})
        item = read(kind, json.dumps({"metadata": metadata, **members}).encode(), name)
        store.put(Key(namespace, name), item, str(self._version))

    def woken(self, act: Callable[[], None]) -> dict[str, int]:
        """How many keys each controller has to look at because of ``act``."""
        for controller in self.controllers:
            _drain(controller)
        stores = [item for item in vars(self).values() if isinstance(item, Walked)]
        before = [store.walks for store in stores]
        act()
        assert [store.walks for store in stores] == before
        return {controller.name: _drain(controller) for controller in self.controllers}

    # --- what there is -----------------------------------------------------------------------------------------------

    def crowd(self, phase: str = "Pending", storage_class: str | None = "local") -> None:
        for number in range(CROWD):
            named = {"storageClassName": storage_class} if storage_class is not None else {}
            spec = {"source": {"http": {"url": "http://a/b"}}, "storage": {"resources": {}, **named}}
            self.put(self.datavolumes, DataVolume, f"dv-{number}", "vms", spec=spec, status={"phase": phase})

    def volume(self, name: str, mode: str = "ReadWriteOnce", phase: str = "Available", **spec: Any) -> None:
        spec = {"storageClassName": "local", "accessModes": [mode], **spec}
        self.put(self.volumes, PersistentVolume, name, spec=spec, status={"phase": phase})

    def storage_class(self, name: str = "local", *, default: bool = False, note: str = "") -> None:
        annotations = {KUBERNETES_DEFAULT: "true"} if default else {}
        metadata = {"annotations": annotations, "labels": {"note": note}}
        self.put(self.classes, StorageClass, name, metadata=metadata, provisioner="kubernetes.io/no-provisioner")


def _drain(controller: Controller) -> int:
    number = len(controller._queue)
    controller._queue._lanes.clear()
    controller._queue._ready = 0
    return number


@pytest.fixture
def cluster() -> Controllers:
    return Controllers()


def test_of_many_equal_volumes_only_the_first_is_news(cluster: Controllers) -> None:
    cluster.storage_class()
    cluster.crowd()
    first = cluster.woken(lambda: cluster.volume("pv-0"))
    assert (first["datavolume"], first["storageprofile"]) == (CROWD, 1)
    for number in range(1, 20):
        name = f"pv-{number}"
        assert cluster.woken(lambda name=name: cluster.volume(name))["datavolume"] == 0  # type: ignore[misc]
    assert cluster.woken(lambda: cluster.volume("shared", "ReadWriteMany"))["datavolume"] == CROWD
    taken = cluster.woken(lambda: cluster.volumes.drop(Key("", "pv-0")))
    assert (taken["datavolume"], taken["storageprofile"]) == (0, 0)


def test_a_volume_of_another_class_is_nobodys_news(cluster: Controllers) -> None:
    cluster.crowd(storage_class="fast")
    assert cluster.woken(lambda: cluster.volume("pv"))["datavolume"] == 0


def test_who_names_no_class_waits_for_the_default_one_only(cluster: Controllers) -> None:
    cluster.crowd(storage_class=None)
    assert cluster.woken(lambda: cluster.volume("pv"))["datavolume"] == 0
    assert cluster.woken(cluster.storage_class)["datavolume"] == 0
    assert cluster.woken(lambda: cluster.storage_class(default=True))["datavolume"] == CROWD
    assert cluster.woken(lambda: cluster.volume("shared", "ReadWriteMany"))["datavolume"] == CROWD


@pytest.mark.parametrize("phase", ["Succeeded", "ImportInProgress", "Failed"])
def test_who_waits_for_no_class_hears_of_none(cluster: Controllers, phase: str) -> None:
    cluster.crowd(phase)
    assert cluster.woken(lambda: cluster.volume("pv"))["datavolume"] == 0
    assert cluster.woken(cluster.storage_class)["datavolume"] == 0


def test_a_note_on_a_class_is_no_news(cluster: Controllers) -> None:
    cluster.storage_class()
    cluster.crowd()
    woken = cluster.woken(lambda: cluster.storage_class(note="somebody was here"))
    assert (woken["datavolume"], woken["population"]) == (0, 0)


def test_a_volume_that_is_reserved_wakes_who_it_is_for(cluster: Controllers) -> None:
    cluster.crowd()
    claim = {"namespace": "vms", "name": "dv-7"}
    assert cluster.woken(lambda: cluster.volume("pv", "ReadWriteMany", claimRef=claim))["datavolume"] == CROWD
    assert cluster.woken(lambda: cluster.volume("pv-2", "ReadWriteMany", claimRef=claim))["datavolume"] == 1


def test_a_class_wakes_the_claims_that_wait_for_it(cluster: Controllers) -> None:
    source = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "s"}
    for number in range(CROWD):
        spec = {"storageClassName": "local" if number < 3 else "fast", "dataSourceRef": source}
        done = {"volumeName": "pv"} if number == 0 else {}
        cluster.put(cluster.claims, PersistentVolumeClaim, f"c-{number}", "vms", spec=spec | done)
    assert cluster.woken(cluster.storage_class)["population"] == 2


def test_a_snapshot_class_wakes_the_profiles_of_its_driver(cluster: Controllers) -> None:
    for number in range(CROWD):
        provisioner = "driver.one" if number == 7 else "driver.two"
        cluster.put(cluster.classes, StorageClass, f"class-{number}", provisioner=provisioner)
    woken = cluster.woken(
        lambda: cluster.put(cluster.snapshot_classes, VolumeSnapshotClass, "snaps", driver="driver.one")
    )
    assert woken["storageprofile"] == 1


def test_pointers_of_others_cost_a_datasource_nothing(cluster: Controllers) -> None:
    """A pointer into another namespace is refused, so nothing there is news for it."""
    for number in range(CROWD):
        pointer = {"source": {"dataSource": {"namespace": "golden", "name": "fedora"}}}
        cluster.put(cluster.referred, DataSource, f"p-{number}", "tenant", spec=pointer)
    own = {"source": {"pvc": {"name": "fedora", "namespace": "golden"}}}
    assert cluster.woken(lambda: cluster.put(cluster.referred, DataSource, "fedora", "golden", spec=own)) == {
        "population": 0,
        "datavolume": 0,
        "storageprofile": 0,
        "datasource": 1,
    }


def test_the_progress_of_a_claim_is_no_news_to_the_datasources_that_name_it(cluster: Controllers) -> None:
    for number in range(CROWD):
        named = {"source": {"pvc": {"name": "disk", "namespace": "golden"}}}
        cluster.put(cluster.referred, DataSource, f"s-{number}", "tenant", spec=named)

    def claim(progress: str, **labels: str) -> None:
        metadata = {"annotations": {"cdi.kubevirt.io/storage.populator.progress": progress}, "labels": labels}
        cluster.put(cluster.claims, PersistentVolumeClaim, "disk", "golden", metadata=metadata)

    assert cluster.woken(lambda: claim("1%"))["datasource"] == CROWD
    assert cluster.woken(lambda: claim("2%"))["datasource"] == 0
    assert cluster.woken(lambda: claim("2%", kind="fedora"))["datasource"] == CROWD


def test_finished_volumes_hear_nothing_of_the_datasource_they_came_from(cluster: Controllers) -> None:
    for number in range(CROWD):
        spec = {"sourceRef": {"kind": "DataSource", "namespace": "golden", "name": "fedora"}, "storage": {}}
        phase = {"phase": "Succeeded" if number else "CloneInProgress"}
        cluster.put(cluster.datavolumes, DataVolume, f"dv-{number}", "vms", spec=spec, status=phase)
    own = {"source": {"pvc": {"name": "fedora", "namespace": "golden"}}}
    woken = cluster.woken(lambda: cluster.put(cluster.referred, DataSource, "fedora", "golden", spec=own))
    assert woken["datavolume"] == 1


def test_looking_at_one_object_walks_through_no_others(cluster: Controllers) -> None:
    cluster.storage_class(default=True)
    for number in range(5):
        cluster.volume(f"pv-{number}", claimRef={"namespace": "vms", "name": f"dv-{number}"})
    cluster.crowd(storage_class=None)
    static = {"annotations": {"cdi.kubevirt.io/storage.checkStaticVolume": ""}}
    spec = {"source": {"http": {"url": "http://a/b"}}, "storage": {}}
    cluster.put(cluster.datavolumes, DataVolume, "dv-3", "vms", spec=spec, metadata=static)
    stores = [item for item in vars(cluster).values() if isinstance(item, Walked)]
    before = [store.walks for store in stores]
    datavolumes = cluster.controllers[1]._reconcile.__self__  # type: ignore[attr-defined]
    seen = datavolumes._observer.observe(Key("vms", "dv-3"))
    assert [volume.metadata.name for volume in seen.volumes] == ["pv-3"]
    assert seen.named_class == "local"
    assert [store.walks for store in stores] == before


def test_a_pod_wakes_the_claims_that_it_keeps_from_being_filled_and_no_others(cluster: Controllers) -> None:
    asks = {"cdi.kubevirt.io/storage.import.source": "http"}
    done = asks | {"cdi.kubevirt.io/storage.pod.phase": "Succeeded"}
    kinds: dict[str, dict[str, str]] = {"asks": asks, "done": done, "plain": {}}
    for name, said in kinds.items():
        cluster.put(cluster.claims, PersistentVolumeClaim, name, "vms", metadata={"annotations": said})

    def pod(*claims: str) -> None:
        volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
        cluster.put(cluster.pods, Pod, "vm", "vms", spec={"volumes": volumes})

    assert cluster.woken(lambda: pod("done", "plain", "elsewhere"))["population"] == 0
    assert cluster.woken(lambda: pod("asks", "plain"))["population"] == 1
    assert cluster.woken(lambda: cluster.pods.drop(Key("vms", "vm")))["population"] == 1
