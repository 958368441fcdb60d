"""The container images of the bed: this project's, by its own Dockerfile, on a Debian of this machine's release.

Everything is made once per content and kept in the cache outside the repository:

    cache/images/KEY.tar     docker-archives, what containerd imports
    cache/buildah            buildah's storage: the base, and a layer per step of the Dockerfile

so that a change of the Python code costs the last layer, some seconds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import netns, place
from .command import CommandFailed, run, succeeds
from .tools import program

PROJECT = "localhost/cdi:test"
PAUSE = "localhost/pause:1"
_ARCHIVES = place.CACHE / "images"
_STORAGE = place.CACHE / "buildah"
_KEPT_ARCHIVES = 4
_KEPT_LAYERS = 500  # a change of code makes 9, of some MB; of requirements, 20, of 230 MB
_BUILD_S = 1800


def pause() -> Path:
    """The archive of the image that holds a pod's namespaces."""
    source = program("pause")
    archive = _ARCHIVES / f"pause-{_digest([source])}.tar"
    if not archive.exists():
        with tempfile.TemporaryDirectory() as name:
            context = Path(name)
            shutil.copy(source, context / "pause")
            (context / "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
            _build(context, PAUSE, archive)
    return archive


def project() -> Path:
    """The archive of this clone's image, as its files are now."""
    codename, mirror = _debian()
    archive = _ARCHIVES / f"cdi-{codename}-{_digest(_context_files())}.tar"
    if not archive.exists():
        with netns.left():  # packages come from outside
            _build(place.REPOSITORY, PROJECT, archive, f"--build-arg=BASE={_base(codename, mirror)}", *_registries())
        _remove_old_archives()
    archive.touch()
    return archive


def content_tag(archive: Path) -> str:
    """A name of the image that changes with it: a Deployment that names it starts new pods."""
    return f"localhost/cdi:{archive.stem}"


def _context_files() -> Iterator[Path]:
    """What the Dockerfile may copy: .dockerignore excludes everything, then names what is not excluded."""
    lines = (place.REPOSITORY / ".dockerignore").read_text().split()
    for name in ("Dockerfile", *(line[1:] for line in lines if line.startswith("!"))):
        path = place.REPOSITORY / name
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _digest(files: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        name = str(file.relative_to(place.REPOSITORY)) if file.is_relative_to(place.REPOSITORY) else file.name
        digest.update(f"{name}\0{file.stat().st_mode & 0o111}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _base(codename: str, mirror: str) -> str:
    """A minimal Debian in buildah's storage (2 minutes, once)."""
    tag = f"localhost/base:{codename}"
    if not succeeds(*_buildah(), "inspect", "--type=image", tag):
        with tempfile.TemporaryDirectory() as name:
            run("debootstrap", "--variant=minbase", codename, f"{name}/root", mirror, timeout_s=_BUILD_S)
            for junk in ("var/cache/apt", "var/lib/apt/lists"):
                shutil.rmtree(f"{name}/root/{junk}")
            run("tar", "-C", f"{name}/root", "-cf", f"{name}/root.tar", ".")
            Path(name, "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
            Path(name, ".dockerignore").write_text("root/\n")
            run(*_buildah(), "bud", "--layers", "--isolation=chroot", "-t", tag, name, timeout_s=_BUILD_S)
    return tag


def _debian() -> tuple[str, str]:
    """Release and mirror of this machine, as its apt has them."""
    listed = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Identifier: Packages")
    for line in listed.splitlines():
        mirror, codename, component = line.split()
        if component == "main" and "security" not in codename and "updates" not in codename:
            return codename, mirror
    raise CommandFailed("apt knows no Debian mirror: run apt-get update")


def _registries() -> list[str]:
    """Options that give the build this machine's way to apt's and pip's packages, and leave no trace in the image.

    Files and directories that pip's settings name get other names inside: dpkg must be able to write the usual ones.
    """
    lines, mounts = ["[global]"], ["/etc/apt:/etc/apt:ro"]
    for key, value in _pip_settings().items():
        if value.startswith("/") and Path(value).exists():
            lines.append(f"{key} = /mnt/{key}")
            mounts.append(f"{value}:/mnt/{key}:ro")
        else:
            lines.append(f"{key} = {value}")
    configuration = place.CACHE / "pip.conf"
    configuration.write_text("\n".join([*lines, ""]))
    mounts.append(f"{configuration}:/etc/pip.conf:ro")
    return [word for mount in mounts for word in ("--volume", mount)]


def _pip_settings() -> dict[str, str]:
    """pip's configuration and what the environment adds: both ``global.cert='/x'`` and ``:env:.cert='/x'`` are cert."""
    settings = {}
    for line in run(place.REPOSITORY / ".venv/bin/pip", "config", "list").splitlines():
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = value.strip("'")
    return settings


def _build(context: Path, tag: str, archive: Path, *options: str) -> None:
    """Raises ``CommandFailed`` with the last lines of the build."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    if len(run(*_buildah(), "images", "-a", "-q").split()) > _KEPT_LAYERS:
        run(*_buildah(), "rmi", "--prune", "--force", timeout_s=_BUILD_S)
    build = ("bud", "--layers", "--isolation=chroot", "--network=host", *options, "-t", tag, str(context))
    built = subprocess.run(
        [*_buildah(), *build], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_BUILD_S
    )
    if built.returncode != 0:
        raise CommandFailed(f"buildah: {tag}:\n" + "\n".join(built.stdout.splitlines()[-30:]))
    unfinished = archive.with_suffix(f".{os.getpid()}")
    run(*_buildah(), "push", tag, f"docker-archive:{unfinished}:{tag}", timeout_s=_BUILD_S)
    unfinished.rename(archive)


def _buildah() -> list[str]:
    return ["nice", "buildah", f"--root={_STORAGE}/storage", f"--runroot={_STORAGE}/run"]


def _remove_old_archives() -> None:
    newest_first = sorted(_ARCHIVES.glob("cdi-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[_KEPT_ARCHIVES:]:
        path.unlink()
