"""By which way an upload reaches its server, and in which form: sessions wherever they are served."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cdi.base.faults import Fault
from cdi.cli import cluster_upload
from cdi.cli.attended import Warn
from cdi.cli.cluster_place import ClusterPlace
from cdi.cli.cluster_upload import Grants, Server
from cdi.cli.names import Name
from cdi.cli.sending.content import Content, SparseDisk, WholeFile
from cdi.cli.sending.kept import Kept
from cdi.cli.sending.peer import Peer
from cdi.cli.sending.plain import PlainUpload
from cdi.cli.sending.proxy import proxy_at
from cdi.cli.sending.session import PROXIED, UNBOUNDED, SessionUpload
from cdi.kube.errors import ApiError, Forbidden
from importer.cancel import Cancel
from importer.plan import Plan
from importer.progress import Progress
from importer.sources import SourceSpec
from importer.sources.file import FileSource


@dataclass(frozen=True, slots=True)
class Job:
    """``plan``: of the disk; None for an archive. ``proxy_url``: that was asked for. ``authorities``: files of who is
    trusted with the proxy's certificate."""

    here: ClusterPlace
    name: Name
    file: Path
    plan: Plan | None
    proxy_url: str = ""
    authorities: tuple[Path, ...] = ()


class Served(Enum):
    """What a way leads to."""

    SESSIONS = "sessions"
    WHOLE_FILES = "whole files"  # in one request, from its first byte
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Way:
    """``label``: for people, and for another process to know it by."""

    label: str
    peer: Peer
    is_proxy: bool


def is_sparse(plan: Plan | None) -> bool:
    """Whether only what holds data is sent: of a raw disk that is not packed."""
    return plan is not None and plan.format == "raw" and not plan.compression


def kind_of(plan: Plan) -> str:
    return "the data of a raw disk, without what is zero" if is_sparse(plan) else f"it is ({plan.format})"


def send(job: Job, progress: Progress, cancel: Cancel, warn: Warn) -> None:
    """When it returns all bytes have come. Blocking; raises Fault."""
    source = FileSource(SourceSpec(url=str(job.file.absolute())))
    cancel.on_request(source.interrupt)
    with closing(source), ExitStack() as held:
        facts = source.probe()
        server, grants = cluster_upload.server_of(job.here, job.name), Grants(job.here, job.name)
        problems: list[str] = []
        plain: Way | None = None
        for way in _ways(job, server, grants, held, problems.append):
            cancel.on_request(way.peer.interrupt)
            largest = PROXIED if way.is_proxy else UNBOUNDED
            upload = SessionUpload(way.peer, way.label, grants, Kept.of(server.uid), largest)
            served = _served(job, way, upload, problems)
            cancel.check(0)
            if served is not Served.SESSIONS:
                plain = way if served is Served.WHOLE_FILES else plain
                continue
            content: Content = WholeFile(source, facts)
            if is_sparse(job.plan):
                content = SparseDisk(source, facts, cancel)
            upload.send(content, progress, cancel)
            return
        if plain is None:
            raise Fault("UploadWayMissing", name=job.name, why="; ".join(problems))
        warn(f"{plain.label} knows no sessions: if the upload breaks off, it begins anew")
        whole = WholeFile(source, facts)
        PlainUpload(plain.peer, grants.token()).send(whole, progress, cancel, archive=job.plan is None)


def _ways(job: Job, server: Server, grants: Grants, held: ExitStack, complain: Callable[[str], None]) -> Iterator[Way]:
    """The best first."""
    url = job.proxy_url or cluster_upload.proxy_url(job.here)
    if url:
        peer = proxy_at(url, job.authorities)
        held.callback(peer.close)
        yield Way(url, peer, is_proxy=True)
    if job.proxy_url:
        return
    authorities = grants.authorities()
    if not authorities:
        complain("this cluster's CDI does not say by whom upload servers are known, so only its proxy reaches them")
        return
    tunnel = held.enter_context(cluster_upload.tunnel_to(job.here, server))
    peer = cluster_upload.tunnelled(tunnel, server, authorities)
    held.callback(peer.close)
    yield Way(f"{job.here.access.server}, pod {server.pod}", peer, is_proxy=False)


def _served(job: Job, way: Way, upload: SessionUpload, problems: list[str]) -> Served:
    """What keeps it from being used is a problem. Raises Fault where no other way may be taken."""
    try:
        if upload.is_served():
            return Served.SESSIONS
        if way.is_proxy:
            return Served.WHOLE_FILES
        cause = "it knows no sessions, and takes other uploads from its proxy alone"
    except ssl.SSLCertVerificationError as error:
        cause = f"its certificate is not trusted: {error.verify_message}"
    except Forbidden as error:
        raise cluster_upload.right_missing(error, "create pods/portforward", job.name.namespace, "edit") from error
    except (OSError, ApiError, http.client.HTTPException) as error:
        cause = str(error) or type(error).__name__
    if job.proxy_url:
        raise Fault("UploadProxyUnfit", url=way.label, cause=cause.rstrip("."))
    problems.append(f"{way.label}: {cause.rstrip('.')}")
    return Served.NOTHING
