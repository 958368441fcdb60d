"""How to reach the API server and who we are there: from a pod's service account, or from a kubeconfig."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cdi.base.nearest import hint

log = logging.getLogger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_AGE_S = 60  # the kubelet replaces a token when 80 % of its hour have passed

Authorization = Callable[[], Awaitable[str]]


class NoAccess(Exception):
    """No usable credentials: no kubeconfig, or one that says something impossible. Needs a person."""


@dataclass(frozen=True)
class Access:
    """``server``: URL without a slash at its end. ``authorization`` gives the header of that name, fresh; ``trust``
    what to verify the server by, fresh as well. ``doubt`` is called when one of them was of no use: they are read
    again."""

    server: str
    trust: Callable[[], ssl.SSLContext] | None = field(default=None, repr=False)
    authorization: Authorization | None = field(default=None, repr=False)
    namespace: str = "default"
    server_name: str | None = None
    proxy: str | None = None
    doubt: Callable[[], None] = field(default=lambda: None, repr=False)


def load(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """What the caller names, else ``KUBECONFIG``, else the pod's service account, else ``~/.kube/config``.

    Raises NoAccess. Blocks: reads files, and runs the credential plugin that a kubeconfig names.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG")
    if not named and not context and "KUBERNETES_SERVICE_HOST" in os.environ and (SERVICE_ACCOUNT / "token").exists():
        return in_cluster(SERVICE_ACCOUNT, os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"])
    return from_kubeconfig(named or "~/.kube/config", context)


def in_cluster(folder: Path, host: str, port: str) -> Access:
    """The service account that is mounted at ``folder``."""
    namespace = folder / "namespace"
    authority = folder / "ca.crt"
    trust, token = _Trust(partial(_trusting, str(authority)), [authority]), _TokenFile(folder / "token")

    def doubt() -> None:
        trust.expire()
        token.expire()

    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        trust=trust,
        authorization=token,
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        doubt=doubt,
    )


class _Trust:
    """A TLS context that is made anew when what it was made of has changed: authorities are replaced, and a process
    that lives longer would trust only the old one. Looks when its last look is a minute old."""

    def __init__(
        self,
        make: Callable[[], ssl.SSLContext],
        files: Sequence[Path],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._files = files
        self._clock = clock
        self._contents = self._read()
        self._context = make()
        self._read_at = clock()

    def __call__(self) -> ssl.SSLContext:
        if self._clock() - self._read_at >= _TOKEN_AGE_S:
            self._read_at = self._clock()
            self._look()
        return self._context

    def expire(self) -> None:
        self._read_at = float("-inf")

    def _look(self) -> None:
        contents = self._read()
        if contents == self._contents:
            return
        try:
            self._context = self._make()
        except NoAccess as refused:  # as it is while it is being written: what was trusted still is
            log.warning("%s", refused)
        else:
            self._contents = contents
            log.info("%s: read again, as it has changed", ", ".join(map(str, self._files)))

    def _read(self) -> list[bytes]:
        """Without those that are not there."""
        found = []
        for file in self._files:
            with contextlib.suppress(OSError):
                found.append(file.read_bytes())
        return found


class _TokenFile:
    """Reads the file again when what it said is a minute old, or was of no use. What cannot be read changes nothing."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._header = ""
        self._read_at = float("-inf")

    async def __call__(self) -> str:
        if self._clock() - self._read_at >= _TOKEN_AGE_S:
            try:
                self._header = f"Bearer {self._path.read_text().strip()}"  # 1 KiB of tmpfs: not worth a thread
            except OSError:
                if not self._header:
                    raise
            self._read_at = self._clock()
        return self._header

    def expire(self) -> None:
        self._read_at = float("-inf")


def from_kubeconfig(files: str, context: str | None) -> Access:
    """``files``: a path, or several with colons, merged as kubectl merges them."""
    from kubernetes.client import Configuration
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
    from yaml import YAMLError

    paths = os.pathsep.join(str(Path(each).expanduser()) for each in files.split(os.pathsep))
    try:
        merged = KubeConfigMerger(paths).config
        if merged is None:
            raise NoAccess(f"there is no kubeconfig at {files}; name one with --kubeconfig or KUBECONFIG")
        known = [entry["name"] for entry in merged.value.get("contexts") or []]
        if context and context not in known:
            raise NoAccess(f"the kubeconfig {files} has no context {context}{hint(context, known)}")
        loader = KubeConfigLoader(config_dict=merged, active_context=context, config_base_path=None)
        settings = Configuration()
        loader.load_and_set(settings)
        chosen = loader.current_context["context"]
    except (ConfigException, YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError) as cause:
        # The library walks the document as if it were one: whatever else it is, it shows as an error of the last kinds.
        raise NoAccess(f"the kubeconfig {files} cannot be used: {cause}") from cause

    async def authorization() -> str:
        # In a thread: an expired token makes the loader run the credential plugin again.
        return await asyncio.to_thread(settings.get_api_key_with_prefix, "BearerToken") or ""

    trust = _Trust(partial(_context, settings), _files(settings)) if str(settings.host).startswith("https:") else None
    return Access(
        server=str(settings.host).rstrip("/"),
        trust=trust,
        authorization=authorization if settings.api_key else None,
        namespace=chosen.get("namespace") or "default",
        server_name=settings.tls_server_name,
        proxy=getattr(loader, "proxy", None),
        doubt=trust.expire if trust is not None else lambda: None,
    )


def _files(settings: object) -> list[Path]:
    """What a context is made of; of what a kubeconfig holds itself, the library has made files."""
    named = (getattr(settings, name, None) for name in ("ssl_ca_cert", "cert_file", "key_file"))
    return [Path(name) for name in named if name]


def _context(settings: object) -> ssl.SSLContext:
    """``settings``: the library's ``Configuration``, which has no types."""
    context = _trusting(getattr(settings, "ssl_ca_cert", None))
    if not getattr(settings, "verify_ssl", True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate = getattr(settings, "cert_file", None)
    if certificate:
        try:
            context.load_cert_chain(certificate, getattr(settings, "key_file", None))
        except (OSError, ssl.SSLError) as cause:
            raise NoAccess(f"the client certificate in the kubeconfig cannot be used: {cause}") from cause
    return context


def _trusting(bundle: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as cause:
        raise NoAccess(f"the CA certificates in {bundle} cannot be used: {cause}") from cause
