"""Deterministic names of what belongs to a claim: whoever looks for it can compute them. Rules are the contract's."""

from __future__ import annotations

WORKER_CONTAINERS = ("importer", "cdi-upload-server", "cdi-clone-source")  # a pod has one of them

_LIMIT, _LABEL = 253, 63  # of an object's name, and of a service's


def joined(base: str, suffix: str, limit: int = _LIMIT) -> str:
    """``base-suffix``; where that is too long a hash of what was cut stands for it. No cut ends at a dot: behind it a
    label would begin with a dash, and that is no name."""
    name = f"{base}-{suffix}"
    if len(name) <= limit:
        return name
    if len(suffix) + 11 > limit:
        return f"{base[: limit - 9].rstrip('.')}-{_fnv1a(name)}"
    return f"{base[: limit - 10 - len(suffix)].rstrip('.')}-{_fnv1a(base)}-{suffix}"


def _fnv1a(text: str) -> str:
    """32-bit FNV-1a, 8 hex digits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{value:08x}"


def prime(target_uid: str) -> str:
    return f"prime-{target_uid}"


def importer(claim: str) -> str:
    return joined("importer", claim)


def scratch(claim: str) -> str:
    return joined(claim, "scratch")


def proxy_certificates(claim: str) -> str:
    return joined("import-proxy-cm", claim)


def upload(claim: str) -> str:
    """Of an upload server's pod and its Secret."""
    return joined("cdi-upload", claim)


def upload_service(claim: str) -> str:
    """Of its service: a DNS label."""
    name = upload(claim).replace(".", "-")
    return name if len(name) <= _LABEL else joined(name, "cdi", _LABEL)


def import_source(volume_uid: str) -> str:
    return f"volume-import-source-{volume_uid}"


# Of a clone, in the namespace of its source; ``uid`` is the target claim's.


def temporary_claim(uid: str) -> str:
    return f"tmp-pvc-{uid}"


def temporary_snapshot(uid: str) -> str:
    return f"tmp-snapshot-{uid}"


def restored_claim(uid: str) -> str:
    """A snapshot that was restored in order to be copied."""
    return f"tmp-source-pvc-{uid}"


def preparation(uid: str) -> str:
    return f"prep-{uid}"


def source_pod(uid: str) -> str:
    return f"{uid}-source-pod"
