"""What an upload server is told, in environment variables: those of CDI's upload server."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from cdi.base.faults import Fault
from cdi.base.moments import moment, written
from cdi.base.wire.variables import share_in, size_in, truth_in

# Contract: where the Secret of the pod is mounted, the port, and the device of a claim of volumeMode Block.
TLS_DIR = "/etc/tls"
PORT = 8443
BLOCK_DEVICE = "/dev/cdi-block-volume"
UPLOADED = "Upload Complete"  # the termination message of an upload that ended well
DEADLINE_PASSED = "Deadline Passed"  # and that of a server to which nothing came in time
_TLS_VERSIONS = ("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13")


@dataclass(frozen=True, slots=True)
class Claim:
    """Ours: for whom a server takes sessions. ``uid``, ``name``, ``namespace``: of the claim that is asked for, and
    stands in its tokens (not of PVC'). ``key``: PEM, with which tokens are verified. ``archive``: what its content
    is."""

    namespace: str
    name: str
    uid: str
    key: str
    archive: bool = False

    def encode(self) -> dict[str, str]:
        told = {"CDI_CLAIM_NAMESPACE": self.namespace, "CDI_CLAIM_NAME": self.name, "CDI_CLAIM_UID": self.uid}
        return told | {"APISERVER_PUBLIC_KEY": self.key} | ({"CDI_CONTENT_TYPE": "archive"} if self.archive else {})


@dataclass(frozen=True, slots=True)
class UploadEnvironment:
    """``key_file``, ``certificate_file``: the server's; ``client_ca_file``: who vouches for clients, of which only
    those named ``client_name`` may send, and have to have the URI ``client_uri`` in their certificate as well, unless
    that is empty (ours: ``cdi.base.wire.clone``). ``image_size``: a quantity, empty where none was asked for;
    ``overhead``: the share of a file system that a disk may not take; ``size`` and ``share`` give their values.
    ``ciphers``: OpenSSL's names, and IANA's of TLS 1.3; empty: the library's own. ``tls_min_version``: ``VersionTLS12``
    and the like. ``deadline``: when the server ends if nothing has been sent, None: never. ``block``: the target is
    the device of the pod. ``address``: of which host, and ``port``, 0 for any free one, it listens. ``claim``: None
    where no sessions are taken."""

    key_file: str = f"{TLS_DIR}/tls.key"
    certificate_file: str = f"{TLS_DIR}/tls.crt"
    client_ca_file: str = f"{TLS_DIR}/ca.crt"
    client_name: str = ""
    client_uri: str = ""
    image_size: str = ""
    overhead: str = "0"
    preallocation: bool = False
    ciphers: tuple[str, ...] = ()
    tls_min_version: str = "VersionTLS12"
    deadline: datetime.datetime | None = None
    block: bool = False
    address: str = "0.0.0.0"  # noqa: S104  the contract's: the pod's own network
    port: int = PORT
    claim: Claim | None = None

    def encode(self) -> dict[str, str]:
        """What differs from the contract's defaults of an address is written, the rest always."""
        always = {
            "TLS_KEY_FILE": self.key_file,
            "TLS_CERT_FILE": self.certificate_file,
            "CLIENT_CERT_FILE": self.client_ca_file,
            "CLIENT_NAME": self.client_name,
            "UPLOAD_IMAGE_SIZE": self.image_size,
            "FILESYSTEM_OVERHEAD": self.overhead,
            "PREALLOCATION": "true" if self.preallocation else "false",
            "TLS_CIPHERS": ",".join(self.ciphers),
            "TLS_MIN_VERSION": self.tls_min_version,
        }
        sometimes = {
            "CDI_CLIENT_URI": self.client_uri,
            "DEADLINE": written(self.deadline) if self.deadline else "",
            "DESTINATION": BLOCK_DEVICE if self.block else "",
            "LISTEN_ADDRESS": self.address if self.address != _DEFAULTS.address else "",
            "LISTEN_PORT": str(self.port) if self.port != _DEFAULTS.port else "",
        }
        of_the_claim = self.claim.encode() if self.claim else {}
        return always | {name: value for name, value in sometimes.items() if value} | of_the_claim

    @property
    def size(self) -> int | None:
        """Bytes of disk. Raises Fault ManifestInvalid."""
        return size_in("UPLOAD_IMAGE_SIZE", self.image_size)

    @property
    def share(self) -> float:
        """From 0 to 1. Raises Fault ManifestInvalid."""
        return share_in("FILESYSTEM_OVERHEAD", self.overhead)


_DEFAULTS = UploadEnvironment()


def decode_upload(environ: Mapping[str, str]) -> UploadEnvironment:
    """With CDI's defaults for what is missing. Raises Fault ManifestInvalid."""
    told = {name: value for name, value in environ.items() if value}
    return UploadEnvironment(
        key_file=told.get("TLS_KEY_FILE", _DEFAULTS.key_file),
        certificate_file=told.get("TLS_CERT_FILE", _DEFAULTS.certificate_file),
        client_ca_file=told.get("CLIENT_CERT_FILE", _DEFAULTS.client_ca_file),
        client_name=told.get("CLIENT_NAME", ""),
        client_uri=told.get("CDI_CLIENT_URI", ""),
        image_size=told.get("UPLOAD_IMAGE_SIZE", ""),
        overhead=told.get("FILESYSTEM_OVERHEAD", "0"),
        preallocation=truth_in(environ, "PREALLOCATION"),
        ciphers=tuple(filter(None, told.get("TLS_CIPHERS", "").split(","))),
        tls_min_version=_tls_version(told.get("TLS_MIN_VERSION", _DEFAULTS.tls_min_version)),
        deadline=_deadline(told.get("DEADLINE", "")),
        block=_block(told.get("DESTINATION", "")),
        address=told.get("LISTEN_ADDRESS", _DEFAULTS.address),
        port=_port(told.get("LISTEN_PORT", str(PORT))),
        claim=_claim(told),
    )


def _claim(told: Mapping[str, str]) -> Claim | None:
    """None of an environment that does not name all of it."""
    names = ("CDI_CLAIM_NAMESPACE", "CDI_CLAIM_NAME", "CDI_CLAIM_UID", "APISERVER_PUBLIC_KEY")
    if not all(name in told for name in names):
        return None
    content = told.get("CDI_CONTENT_TYPE", "kubevirt")
    if content not in ("kubevirt", "archive"):
        raise Fault("ManifestInvalid", where="CDI_CONTENT_TYPE", detail=f"{content!r} is neither kubevirt nor archive")
    namespace, name, uid, key = (told[variable] for variable in names)
    return Claim(namespace, name, uid, key, content == "archive")


def _tls_version(text: str) -> str:
    if text not in _TLS_VERSIONS:
        raise Fault(
            "ManifestInvalid", where="TLS_MIN_VERSION", detail=f"{text!r} is none of {', '.join(_TLS_VERSIONS)}"
        )
    return text


def _deadline(text: str) -> datetime.datetime | None:
    found = moment(text) if text else None
    if text and found is None:
        raise Fault("ManifestInvalid", where="DEADLINE", detail=f"{text!r} is no point in time")
    return found


def _block(text: str) -> bool:
    if text not in ("", BLOCK_DEVICE):
        raise Fault("ManifestInvalid", where="DESTINATION", detail=f"{text!r} is not {BLOCK_DEVICE}")
    return bool(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise Fault("ManifestInvalid", where="LISTEN_PORT", detail=f"{text!r} is no port")
    return int(text)
