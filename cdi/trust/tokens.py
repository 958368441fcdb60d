"""Clone tokens: signed statements that whoever made a DataVolume may read its source. Contract: 5 minutes, PS256.

A controller that has verified one may sign another that lasts (``EXTENDED``); both are of one key.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from cdi.base import tokens
from cdi.base.tokens import EXTENDED, ISSUER
from cdi.trust import signatures

_CLAIMS, _SNAPSHOTS = ("", "v1", "persistentvolumeclaims"), ("snapshot.storage.k8s.io", "v1", "volumesnapshots")


@dataclass(frozen=True, slots=True)
class Place:
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Permit:
    """``source`` may be cloned into the DataVolume or claim ``target``. ``uid``: of the one object that it is for;
    empty: for whatever has that name."""

    source: Place
    target: Place
    is_snapshot: bool = False
    uid: str = ""


class _Resource(Struct):
    group: str
    version: str
    resource: str


class _Target(Struct, rename="camel"):
    target_namespace: str
    target_name: str
    uid: str = ""


class _Claims(Struct):
    operation: str
    namespace: str
    name: str
    resource: _Resource
    params: _Target

    @property
    def permit(self) -> Permit | None:
        resource = (self.resource.group, self.resource.version, self.resource.resource)
        if self.operation != "Clone" or resource not in (_CLAIMS, _SNAPSHOTS):
            return None
        target = Place(self.params.target_namespace, self.params.target_name)
        return Permit(Place(self.namespace, self.name), target, resource == _SNAPSHOTS, self.params.uid)


class Signer:
    """Keeps an RSA key. Raises ValueError for what is none."""

    def __init__(self, key: bytes) -> None:
        self.key = signatures.private_key(key)

    @property
    def public(self) -> str:
        """PEM: what others verify with."""
        return _public(self.key).decode()

    def token(self, permit: Permit, now: datetime.datetime) -> str:
        """For five minutes, in which a controller makes a lasting one of it."""
        return signatures.signed(_claims(permit), self.key, now)

    def lasting(self, permit: Permit, now: datetime.datetime) -> str:
        """For ten years, and for the one object whose uid the permit has."""
        return signatures.signed(_claims(permit), self.key, now, issuer=EXTENDED)

    def verified(self, token: str) -> Permit | None:
        """What it permits; None where it is none of this key, not valid now, or for something else."""
        try:
            said = tokens.verified(token, self.key.public_key(), (ISSUER, EXTENDED))
            return msgspec.convert(said, _Claims).permit
        except (tokens.Unverified, ValueError, RecursionError):  # msgspec's error is a ValueError
            return None


def _claims(permit: Permit) -> dict[str, object]:
    group, version, resource = _SNAPSHOTS if permit.is_snapshot else _CLAIMS
    params = {"targetNamespace": permit.target.namespace, "targetName": permit.target.name}
    return {
        "operation": "Clone",
        "namespace": permit.source.namespace,
        "name": permit.source.name,
        "resource": {"group": group, "version": version, "resource": resource},
        "params": params | ({"uid": permit.uid} if permit.uid else {}),
    }


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM, as the contract's Secret has it."""

    private: bytes
    public: bytes


def key_pair() -> KeyPair:
    """A new RSA key of 2048 bits."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return KeyPair(private, _public(key))


def _public(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)
