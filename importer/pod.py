"""Entry point of the importer pod, and of ``cdi run``'s worker.

The environment, paths, texts and exit codes are the contract of the Go CDI's importer (its controller, and tests that
read its log, know them). For use without a cluster ``CDI_TARGET`` names the disk file.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cdi.base.faults import Exit, Fault
from cdi.base.sources import imported, is_empty, listed, source_of_word
from cdi.base.verbosity import level_of, log_to_stderr, verbosity_in
from cdi.base.wire.environment import CREDENTIALS, ImportEnvironment, decode_import
from cdi.base.wire.termination import Termination
from importer import worker
from importer.cancel import Cancel
from importer.progress import Progress, Stage
from importer.sources import SourceSpec
from importer.target import Target

log = logging.getLogger("importer")


@dataclass(frozen=True, slots=True)
class Importing:
    """The work that ``environ`` asks for. What cannot be is told when it is asked for, as a Fault."""

    environ: Mapping[str, str]

    @property
    def source(self) -> str:
        return self.environ.get("IMPORTER_SOURCE", "") or "http"

    def work(self, progress: Progress, cancel: Cancel) -> Termination:
        told = decode_import(self.environ)
        if source_of_word(told.source) is None:
            raise Fault(
                "SourceUrlInvalid",
                contract=f"Unknown data source: {told.source}",
                source=told.source,
                cause=f"this worker does {listed((source.word for source in imported()), 'and')}",
            )
        if is_empty(told.source):
            from importer.blank import make_blank

            make_blank(self.target(told), told.archive)
            return _complete(told)
        return self._transferred(told, progress, cancel)

    def _transferred(self, told: ImportEnvironment, progress: Progress, cancel: Cancel) -> Termination:
        from importer.checksum import Checksum
        from importer.transfer import Request, run

        request = Request(
            source=self.spec(told),
            target=self.target(told),
            checksum=Checksum.parse(told.checksum) if told.checksum else None,
            archive=told.archive,
        )
        result = run(request, progress, cancel)
        for note in result.notes:
            log.warning("%s", note)
        # Text that tests of the Go CDI look for in the log.
        log.info("Successfully completed fsync(%s) syscall", request.target.path)
        done = progress.snapshot().bytes_done
        return replace(_complete(told), source=result.origin, notes=result.notes, bytes_done=done)

    def target(self, told: ImportEnvironment) -> Target:
        if path := self.environ.get("CDI_TARGET", ""):
            return Target.at_path(
                Path(path),
                size=told.size,
                preallocation=told.preallocation,
                overwrite=True,  # whose parent says to make it anew
                archive=told.archive,
            )
        return Target.in_volume(
            told.size, told.share, preallocation=told.preallocation, archive=told.archive, handed=told.durable
        )

    def spec(self, told: ImportEnvironment) -> SourceSpec:
        keys = {key: self.environ.get(variable, "") for key, variable in CREDENTIALS.items()}
        directories = (told.certificates, told.proxy_certificates)
        return SourceSpec(
            url=told.endpoint,
            user=keys["accessKeyId"],
            password=keys["secretKey"],
            session_token=keys["sessionToken"],
            region=keys["region"],
            headers=told.headers,
            secret_headers=_secret_headers(Path(self.environ.get("CDI_SECRET_HEADER_DIR", "/extraheaders"))),
            ca_files=tuple(Path(directory) for directory in directories if directory),
            insecure=told.insecure,
            kind=told.source,  # an endpoint is somebody's text: it must not name a file
            guarded=bool(told.owner_uid),  # in a cluster
            environ=self.environ,
        )

    def prefix(self, progress: Progress, fault: Fault) -> str:
        if is_empty(self.source):
            return "Unable to create blank image: "
        if source_of_word(self.source) is None:
            return ""  # an unknown source has its own phrase
        from_source = fault.entry.exit in (Exit.SOURCE, Exit.TRANSIENT) or fault.code == "SourceUrlInvalid"
        if from_source and fault.code != "ImporterDefect" and progress.snapshot().stage is Stage.PROBING:
            return f"Unable to connect to {self.source} data source: "
        return "Unable to process data: "


def _complete(told: ImportEnvironment) -> Termination:
    return Termination("Import Complete", preallocation_applied=told.preallocation and not told.archive)


def _secret_headers(directory: Path) -> tuple[str, ...]:
    """Every regular file that is not hidden is one header line, whatever the key's name (the contract)."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    visible = (path for path in files if not any(part.startswith(".") for part in path.relative_to(directory).parts))
    return tuple(path.read_text(errors="surrogateescape").strip() for path in visible)


def main() -> int:
    level = level_of(verbosity_in(sys.argv[1:]))
    log_to_stderr(level, "%(asctime)s %(levelname)s %(message)s")
    importing = Importing(os.environ)
    return worker.run(worker.Worker(importing.work, importing.prefix, worker.IMPORT_METRIC), os.environ)


if __name__ == "__main__":
    sys.exit(main())
