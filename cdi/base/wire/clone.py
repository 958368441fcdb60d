"""What a clone's source pod is told, in environment variables: those of CDI's cloner, and few of ours.

Two pods (``UPLOAD_URL`` is there; what CDI's own source pod has, and ``CDI_CONTENT_TYPE``)::

    UPLOAD_URL         https://<service of the upload server>.<namespace>.svc:8443/v1beta1/upload
    CLIENT_KEY         PEM, from the pod's Secret, key tls.key; CLIENT_CERT: PEM, key tls.crt
    SERVER_CA_CERT     PEM, inline: who vouches for the upload server
    OWNER_UID          label of the progress metric (port 8443 of the pod, named ``metrics``)
    PREALLOCATION      true, false
    VOLUME_MODE        block, filesystem: of the source claim
    MOUNT_POINT        where it is: /var/run/cdi/clone/source, mounted read-only, or /dev/cdi-block-volume
    CDI_CONTENT_TYPE   kubevirt (disk.img of the claim, or the device), archive (all files); missing: kubevirt

One pod (no ``UPLOAD_URL``, certificates or keys): it has both claims. The source is where ``MOUNT_POINT`` says, a
device as /dev/cdi-clone-source; the target is where every worker has it, /data or /dev/cdi-block-volume. Two more, as
an upload server has them, empty or missing where the disk shall keep its size::

    UPLOAD_IMAGE_SIZE  quantity: the disk becomes at least so large; FILESYSTEM_OVERHEAD: share of a file system

An upload server that takes a clone has the environment that every one has; CLIENT_NAME is ``client_name``'s, and
``CDI_CLIENT_URI``, ours, the URI of ``claim_uri`` that the client's certificate has to have as well. Clones need no
scratch volume. A device as target needs an emptyDir at /tmp to go on after a restart, as imports do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from cdi.base.wire.upload import BLOCK_DEVICE
from cdi.base.wire.variables import share_in, size_in, truth_in

CREDENTIALS = {"tls.key": "CLIENT_KEY", "tls.crt": "CLIENT_CERT"}  # key of the pod's Secret -> variable
SOURCE_DIR = "/var/run/cdi/clone/source"
SOURCE_DEVICE = BLOCK_DEVICE  # of a pod that has only the source
SOURCE_DEVICE_BESIDE = "/dev/cdi-clone-source"  # of one that has the target too
CLONED = "Clone Complete"  # the termination message of both ends of a clone that ended well
PREALLOCATED = "Clone Complete, Preallocation applied"  # and of the source's, where so: controllers look for the words
_MODES = ("block", "filesystem")
_CONTENTS = ("kubevirt", "archive")


@dataclass(frozen=True, slots=True)
class CloneEnvironment:
    """See above. ``upload_url``: empty where one pod copies. ``client_*`` come from a Secret: ``encode`` leaves them
    out. ``image_size``: a quantity; ``size`` and ``share`` give the values of it and of ``overhead``."""

    mount_point: str
    block: bool = False
    archive: bool = False
    upload_url: str = ""
    server_ca: str = ""
    client_key: str = field(default="", repr=False)
    client_certificate: str = ""
    owner_uid: str = ""
    preallocation: bool = False
    image_size: str = ""
    overhead: str = ""

    def encode(self) -> dict[str, str]:
        always = {
            "OWNER_UID": self.owner_uid,
            "PREALLOCATION": "true" if self.preallocation else "false",
            "VOLUME_MODE": "block" if self.block else "filesystem",
            "MOUNT_POINT": self.mount_point,
            "CDI_CONTENT_TYPE": "archive" if self.archive else "kubevirt",
        }
        sometimes = {
            "UPLOAD_URL": self.upload_url,
            "SERVER_CA_CERT": self.server_ca,
            "UPLOAD_IMAGE_SIZE": self.image_size,
            "FILESYSTEM_OVERHEAD": self.overhead,
        }
        return always | {name: value for name, value in sometimes.items() if value}

    @property
    def size(self) -> int | None:
        """Bytes of disk. Raises Fault ManifestInvalid."""
        return size_in("UPLOAD_IMAGE_SIZE", self.image_size)

    @property
    def share(self) -> float:
        """From 0 to 1. Raises Fault ManifestInvalid."""
        return share_in("FILESYSTEM_OVERHEAD", self.overhead)


def decode_clone(environ: Mapping[str, str]) -> CloneEnvironment:
    """Raises Fault ManifestInvalid."""
    told = {name: value for name, value in environ.items() if value}
    found = CloneEnvironment(
        mount_point=told.get("MOUNT_POINT", ""),
        block=_one_of(_MODES, told, "VOLUME_MODE", "filesystem") == "block",
        archive=_one_of(_CONTENTS, told, "CDI_CONTENT_TYPE", "kubevirt") == "archive",
        upload_url=told.get("UPLOAD_URL", ""),
        server_ca=told.get("SERVER_CA_CERT", ""),
        client_key=told.get("CLIENT_KEY", ""),
        client_certificate=told.get("CLIENT_CERT", ""),
        owner_uid=told.get("OWNER_UID", ""),
        preallocation=truth_in(environ, "PREALLOCATION"),
        image_size=told.get("UPLOAD_IMAGE_SIZE", ""),
        overhead=told.get("FILESYSTEM_OVERHEAD", ""),
    )
    if not found.mount_point:
        raise Fault("ManifestInvalid", where="MOUNT_POINT", detail="it is missing: nothing says where the source is")
    if found.block and found.archive:
        raise Fault("ManifestInvalid", where="CDI_CONTENT_TYPE", detail="a block device holds no archive")
    return found


def _one_of(known: tuple[str, ...], told: Mapping[str, str], name: str, otherwise: str) -> str:
    value = told.get(name, otherwise)
    if value not in known:
        raise Fault("ManifestInvalid", where=name, detail=f"{value!r} is none of {', '.join(known)}")
    return value


def client_name(source: str, target: str) -> str:
    """The contract's name of the client that clones ``source`` into ``target``, both ``namespace/name``. Names contain
    dashes, so two pairs of claims may have one name."""
    return f"{source}-{target}"


def claim_uri(uid: str) -> str:
    """What tells the one claim that a client may write to from every other."""
    return f"urn:uuid:{uid}"
