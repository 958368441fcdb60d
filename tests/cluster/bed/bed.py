"""Up and down of the whole. Both may be repeated, and both start from whatever an aborted run left."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from . import (
    certificates,
    cgroup,
    containerd,
    controlplane,
    images,
    kubectl,
    kubelet,
    litter,
    mounts,
    netns,
    network,
    place,
    processes,
    storage,
)
from .command import CommandFailed, run
from .processes import Program

T = TypeVar("T")
_OURS = ("--server-side", "--force-conflicts")
_READY, _KEPT, _INSTALLED = (place.STATE / name for name in ("ready", "kept", "installed"))
_USERS = Path(f"/run/lock/{place.NAME}-users.lock")
_PROGRAMS = ("etcd", "apiserver", "controller-manager", "scheduler", "containerd", "kubelet", "kube-proxy", "coredns")
_ALL = (*_PROGRAMS, *storage.PROGRAMS)


def dead() -> list[str]:
    """Programs that should run and do not."""
    return [name for name in _ALL if processes.pid_of(name) is None]


def is_up() -> bool:
    return _READY.exists() and not dead() and kubectl.server_is_ready()


def up() -> None:
    """Blocks until the cluster can be used. Does nothing when it can."""
    with _alone():
        if is_up():
            return
        _clear()
        pause = _step("pause image", images.pause)
        place.STATE.mkdir(mode=0o755)
        _step("certificates", certificates.create)
        _step("network namespace", netns.create)
        cgroup.create()
        _step("control plane", controlplane.start)
        _step("file system", storage.make_file_system)
        network.configure()
        _step("containerd", containerd.start)
        _step("pause image", lambda: containerd.load_image(pause))
        kubelet.start()
        _step("network", network.start)
        _step("storage", storage.start)
        _step("node", kubelet.wait_until_ready)
        _step("names", network.wait_until_ready)
        _step("volumes", storage.wait_until_ready)
        _READY.touch()


def load_project() -> str:
    """This clone's image, built when its files changed, becomes ``localhost/cdi:test`` of the node.

    Returns another name of it, which no other content has.
    """
    archive = _step("image", images.project)
    name = images.content_tag(archive)
    if not containerd.has_image(name):
        _step("import", lambda: containerd.load_image(archive))
        containerd.tag_image(images.PROJECT, name)
    containerd.tag_image(name, images.PROJECT)
    return name


def install(*, alone: bool) -> None:
    """This project in the cluster: its image, and what a user applies. Returns when its deployments are available.

    ``alone``: nobody runs a command who would find other code under it.
    """
    with _alone():
        image = load_project()
        if _INSTALLED.exists() and _INSTALLED.read_text() != image and not alone:
            other = "wait for its end, or take a bed of your own with CDI_BED=name"
            raise SystemExit(f"bed: another run tests other code here: {other}")
        _INSTALLED.write_text(image)
        manifests = run(sys.executable, "-m", "cdi.operator.manifests", f"--image={image}")
        _step("apply", lambda: kubectl.kubectl("apply", *_OURS, "-f", "-", input_text=manifests))
        _step("rollout", _wait_for_deployments)


def _wait_for_deployments() -> None:
    for name in kubectl.kubectl("get", "deployments", "-n=cdi", "-o=name").split():
        try:
            kubectl.kubectl("rollout", "status", "-n=cdi", name, "--timeout=90s")
        except CommandFailed as error:
            pods = kubectl.kubectl("get", "pods", "-n=cdi")
            log = kubectl.kubectl("logs", "-n=cdi", name, "--tail=20")
            raise SystemExit(f"bed: {error}\n{pods}\n{log}") from None


def during(command: list[str]) -> int:
    """The command's exit status. It runs with the project installed. Whoever uses the bed last takes it down, unless
    somebody brought it up to stay.

    Without root, or with another cluster to test on, it is just run.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the bed ends with us
    if os.geteuid() != 0 or "CDI_TEST_KUBECONFIG" in os.environ:
        return _done(command)
    alone = is_free()
    with _USERS.open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            up()
            install(alone=alone)
            return _done(command)
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if is_free() and not _KEPT.exists():
                down()


def _done(command: list[str]) -> int:
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except BaseException:
        process.terminate()  # pytest ends its workers
        try:
            process.wait(30)
        finally:
            process.kill()
        raise


def is_free() -> bool:
    """Whether nobody runs a command on the bed."""
    with _USERS.open("a") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def keep() -> None:
    """The bed stays until somebody says ``down``."""
    _KEPT.touch()


def restart(name: str) -> None:
    """Kills one program and starts it again. The API server is ready when this returns, others are starting."""
    known = {program.name: program for program in _programs()}
    if name not in known:
        raise SystemExit(f"bed: there is no program {name}: {', '.join(known)}")
    # Sidecars of a CSI driver end when it does, and the kubelet would start them again.
    for one in (name, *(storage.SIDECARS if name == "csi-driver" else ())):
        processes.stop(one)
        processes.start(known[one])
    if name == "apiserver":
        controlplane.wait_for_api_server()


def revive() -> list[str]:
    """Starts what has ended by itself, as a kubelet does with a control plane of static pods; the names. kube-scheduler
    ends when what it remembers of a pod is not what an API server that was killed has kept ("cache is corrupted")."""
    ended = [program for program in controlplane.programs() if program.name in ("scheduler", "controller-manager")]
    ended = [program for program in ended if processes.pid_of(program.name) is None]
    for program in ended:
        processes.start(program)
    return [program.name for program in ended]


def _programs() -> list[Program]:
    return [*controlplane.programs(), containerd.itself(), kubelet.itself(), *network.programs(), *storage.programs()]


def down() -> None:
    """Blocks until nothing of the bed is left on the machine. Images and programs stay in the cache."""
    with _alone():
        _clear()


def _clear() -> None:
    cgroup.kill_all()
    mounts.release_all()
    netns.delete()
    cgroup.delete()
    litter.remove()
    if place.STATE.exists():
        shutil.rmtree(place.STATE)


@contextmanager
def _alone() -> Iterator[None]:
    """Two that start at once must not build one bed."""
    with Path(f"/run/lock/{place.NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _step(name: str, work: Callable[[], T]) -> T:
    begin = time.monotonic()
    result = work()
    print(f"bed: {name} {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)
    return result
