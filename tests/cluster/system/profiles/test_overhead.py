"""How much of a volume a file system takes: what may be said, and what is added."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.kinds import Cluster, Namespace, Object, Refused
from support.manifests import datavolume, storage

pytestmark = pytest.mark.alone

Configure = Callable[[Object], None]


def test_what_is_configured_for_a_class_is_added(kinds: Cluster, space: Namespace, configure: Configure) -> None:
    configure({"filesystemOverhead": {"global": "0.5", "storageClass": {"shared": "0.2"}}})
    shares = {"csi": "0.5", "shared": "0.2"}
    kinds.wait("CDIConfig", "config", lambda found: shares.items() <= _shares(found).items())
    for name in shares:
        space.create(datavolume(name, {"blank": {}}, storage=storage("100Mi", name, volumeMode="Filesystem")))
    sizes = {name: space.wait("PersistentVolumeClaim", name, lambda _: True) for name in shares}
    requests = {name: found["spec"]["resources"]["requests"]["storage"] for name, found in sizes.items()}
    assert requests == {"csi": str(150 << 20), "shared": str(120 << 20)}


def _shares(config: Object) -> dict[str, str]:
    return dict(config["status"]["filesystemOverhead"]["storageClass"])


@pytest.mark.parametrize("value", ["abc", "1.abc", "1.0001", "inf", "-0.1"])
@pytest.mark.parametrize("place", ["global", "class"])
def test_what_is_no_share_is_refused(kinds: Cluster, value: str, place: str) -> None:
    wrong = {"global": value} if place == "global" else {"storageClass": {"csi": value}}
    with pytest.raises(Refused, match="filesystemOverhead"):
        kinds.patch("CDI", "cdi", {"spec": {"config": {"filesystemOverhead": wrong}}})


@pytest.mark.parametrize("value", ["1", "0", "0.0"])
def test_what_is_a_share_is_taken(kinds: Cluster, configure: Configure, value: str) -> None:
    configure({"filesystemOverhead": {"global": value, "storageClass": {"csi": value}}})
    kinds.wait("CDIConfig", "config", lambda found: _shares(found) == dict.fromkeys(_shares(found), value))
    assert kinds.get("CDIConfig", "config")["status"]["filesystemOverhead"]["global"] == value
