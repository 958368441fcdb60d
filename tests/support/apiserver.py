"""A real kube-apiserver with its etcd on loopback, without nodes and controllers. Up in about 3 s.

The program is the bed's ``kube``: all Kubernetes components in one file, built by ``requirements/gobuild.sh``.
"""

from __future__ import annotations

import functools
import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from ssl import create_default_context
from types import TracebackType
from typing import Self

from support.certificates import Authority
from support.ports import free_port, wait_for_port

_REPOSITORY = Path(__file__).parents[2]
_START_S = 60
FRONT_NAME = "front-proxy-client"
ADMIN, NOBODY = "token-of-admin", "token-of-nobody"
# Nothing outlives the tests, not even when they are killed. (Linux: with the *thread* that started it.)
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


@functools.cache
def program() -> str:
    build = [_REPOSITORY / "requirements/gobuild.sh", _REPOSITORY / "tests/cluster/bed/tools/kube", "tools/kube"]
    return subprocess.run(build, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class ApiServer:
    """``url`` and ``ca`` reach it, with the bearer tokens ``ADMIN`` (may all) and ``NOBODY`` (may nothing)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authority(folder / "pki", "kubernetes")
        self._pair = authority.issue("kube-apiserver", "IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc")
        self.ca = authority.cert
        # By which servers of aggregated APIs know this one. The files may be replaced while it runs.
        self.front_authority = Authority(folder / "front", "front-proxy")
        self.front = self.front_authority.issue(FRONT_NAME, "")
        self.port, self._etcd_port, self._peer_port = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        (folder / "tokens").write_text(f'{ADMIN},admin,1,"system:masters"\n{NOBODY},nobody,2\n')
        self._etcd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Returns when it is ready. Also after ``kill``."""
        if self._etcd is None:
            self._etcd = self._started("etcd", self._etcd_flags())
            wait_for_port(self._etcd_port, self._etcd, self._folder / "etcd.log", timeout_s=_START_S)
        self._server = self._started("kube-apiserver", self._server_flags())
        wait_for_port(self.port, self._server, self._folder / "kube-apiserver.log", timeout_s=_START_S)
        self._wait_until_ready()

    def kill(self) -> None:
        """As a crash does; etcd stays."""
        self._server = _ended(self._server)

    def close(self) -> None:
        self.kill()
        self._etcd = _ended(self._etcd)

    def compact(self) -> None:
        """Makes etcd forget all versions but the present one."""
        revision = self._etcd_call("range", {"key": "AA=="})["header"]["revision"]
        self._etcd_call("compaction", {"revision": revision, "physical": True})

    def kubeconfig(self, token: str = ADMIN, url: str = "") -> Path:
        """``url``: of something that forwards to it."""
        cluster = {"server": url or self.url, "certificate-authority": str(self.ca)}
        document = {
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
        }
        path = self._folder / f"kubeconfig-{len(list(self._folder.glob('kubeconfig-*')))}"
        path.write_text(json.dumps(document))
        return path

    def _started(self, component: str, flags: dict[str, object]) -> subprocess.Popen[bytes]:
        command = [*_DIES_WITH_US, program(), component, *(f"--{name}={value}" for name, value in flags.items())]
        with (self._folder / f"{component}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _etcd_flags(self) -> dict[str, object]:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return {
            "data-dir": self._folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }

    def _server_flags(self) -> dict[str, object]:
        return {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": self.port,
            "tls-cert-file": self._pair.cert,
            "tls-private-key-file": self._pair.key,
            "token-auth-file": self._folder / "tokens",
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self._pair.cert,
            "service-account-signing-key-file": self._pair.key,
            "service-cluster-ip-range": "10.96.0.0/16",
            # No controller makes service accounts here, and pods would wait for theirs.
            "disable-admission-plugins": "ServiceAccount",
            "endpoint-reconciler-type": "none",
            "requestheader-client-ca-file": self.front_authority.cert,
            "requestheader-allowed-names": FRONT_NAME,
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-uid-headers": "X-Remote-Uid",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "proxy-client-cert-file": self.front.cert,
            "proxy-client-key-file": self.front.key,
        }

    def _wait_until_ready(self) -> None:
        context = create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {ADMIN}"})
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._server and self._server.poll() is None:
            try:
                urllib.request.urlopen(request, timeout=5, context=context).close()
                return
            except urllib.error.HTTPError as early:  # 500 until all its hooks have run
                early.close()
            except OSError:
                pass
            time.sleep(0.05)  # another program's start has no event to wait for
        raise RuntimeError(f"not ready: {(self._folder / 'kube-apiserver.log').read_text()[-2000:]}")

    def _etcd_call(self, verb: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        url = f"http://127.0.0.1:{self._etcd_port}/v3/kv/{verb}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=10) as answer:
            result: dict[str, dict[str, str]] = json.load(answer)
            return result


def _ended(process: subprocess.Popen[bytes] | None) -> None:
    if process:
        process.kill()
        process.wait()
