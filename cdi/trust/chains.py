"""The authorities of the system, and what each of them signs. Names are the contract's. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chain:
    """``name``: of the authority. ``target``: the Secret with the one certificate that is kept; empty where somebody
    signs as many as are needed."""

    name: str
    target: str = ""

    @property
    def signer(self) -> str:
        """The Secret of the authority, with its key."""
        return f"{self.name}-signer"

    @property
    def bundle(self) -> str:
        """The ConfigMap of who is trusted: this authority, and those before it that are still valid."""
        return f"{self.signer}-bundle"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.signer, self.target) if self.target else (self.signer,)


BUNDLE_KEY = "ca-bundle.crt"

APISERVER = Chain("cdi-apiserver", "cdi-apiserver-server-cert")
UPLOAD_PROXY = Chain("cdi-uploadproxy", "cdi-uploadproxy-server-cert")
UPLOAD_SERVER = Chain("cdi-uploadserver")  # the controller signs for every upload pod
UPLOAD_CLIENT = Chain("cdi-uploadserver-client", "cdi-uploadserver-client-cert")  # with which the proxy asks servers

UPLOAD_CLIENT_NAME = "client.upload-server.cdi.kubevirt.io"
