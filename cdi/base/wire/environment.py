"""What an importing worker is told, in environment variables: those of CDI's importer, and few of ours.

A controller writes them into a pod, ``cdi run`` into a child process. Credentials are not among the members: a pod gets
them from a Secret, by the names in ``CREDENTIALS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdi.base.wire.variables import share_in, size_in, truth_in

# Key of a Secret -> variable. The worker of an s3 source takes all, others the first two, as user and password.
CREDENTIALS = {
    "accessKeyId": "IMPORTER_ACCESS_KEY_ID",
    "secretKey": "IMPORTER_SECRET_KEY",
    "sessionToken": "IMPORTER_SESSION_TOKEN",
    "region": "IMPORTER_REGION",
}
CERTIFICATES = "IMPORTER_CERT_DIR"
_HEADER = "IMPORTER_EXTRA_HEADER_"


@dataclass(frozen=True, slots=True)
class ImportEnvironment:
    """``source``: CDI's word (``none`` is blank). ``image_size``: a quantity, empty where none was asked for;
    ``overhead``: the share of a file system that a disk may not take. Both as they are written: ``size`` and ``share``
    give their values. ``headers``: lines. ``certificates``, ``proxy_certificates``: directories. ``owner_uid``: label
    of the progress metric, empty outside of a cluster. ``durable``: ours, what an earlier pod recorded of the device.
    """

    source: str = "http"
    endpoint: str = ""
    archive: bool = False
    image_size: str = ""
    overhead: str = "0"
    preallocation: bool = False
    checksum: str = ""
    insecure: bool = False
    owner_uid: str = ""
    headers: tuple[str, ...] = ()
    certificates: str = ""
    proxy_certificates: str = ""
    durable: str = ""

    def encode(self) -> dict[str, str]:
        always = {
            "IMPORTER_SOURCE": self.source,
            "IMPORTER_ENDPOINT": self.endpoint,
            "IMPORTER_CONTENTTYPE": "archive" if self.archive else "kubevirt",
            "IMPORTER_IMAGE_SIZE": self.image_size,
            "OWNER_UID": self.owner_uid,
            "FILESYSTEM_OVERHEAD": self.overhead,
            "INSECURE_TLS": "true" if self.insecure else "false",
            "PREALLOCATION": "true" if self.preallocation else "false",
            "IMPORTER_CHECKSUM": self.checksum,
        }
        sometimes = {
            "IMPORTER_DURABLE": self.durable,
            CERTIFICATES: self.certificates,
            "IMPORTER_PROXY_CERT_DIR": self.proxy_certificates,
        }
        headers = {f"{_HEADER}{index}": line for index, line in enumerate(self.headers)}
        return always | {name: value for name, value in sometimes.items() if value} | headers

    @property
    def size(self) -> int | None:
        """Bytes of disk. Raises Fault ManifestInvalid."""
        return size_in("IMPORTER_IMAGE_SIZE", self.image_size)

    @property
    def share(self) -> float:
        """From 0 to 1. Raises Fault ManifestInvalid."""
        return share_in("FILESYSTEM_OVERHEAD", self.overhead)


def decode_import(environ: Mapping[str, str]) -> ImportEnvironment:
    """With CDI's defaults for what is missing. Raises Fault ManifestInvalid."""
    numbered = sorted((name for name in environ if name.startswith(_HEADER)), key=lambda name: (len(name), name))
    return ImportEnvironment(
        source=environ.get("IMPORTER_SOURCE", "") or "http",
        endpoint=environ.get("IMPORTER_ENDPOINT", ""),
        archive=environ.get("IMPORTER_CONTENTTYPE", "") == "archive",
        image_size=environ.get("IMPORTER_IMAGE_SIZE", ""),
        overhead=environ.get("FILESYSTEM_OVERHEAD", ""),
        preallocation=truth_in(environ, "PREALLOCATION"),
        checksum=environ.get("IMPORTER_CHECKSUM", ""),
        insecure=environ.get("INSECURE_TLS", "").lower() == "true",
        owner_uid=environ.get("OWNER_UID", ""),
        headers=tuple(environ[name] for name in numbered),
        certificates=environ.get(CERTIFICATES, ""),
        proxy_certificates=environ.get("IMPORTER_PROXY_CERT_DIR", ""),
        durable=environ.get("IMPORTER_DURABLE", ""),
    )
