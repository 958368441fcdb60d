"""What a worker says of its own defects, and of variables that cannot be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cdi.base.wire.environment import ImportEnvironment
from importer import pod, transfer, worker
from importer.cancel import Cancel
from importer.progress import Progress, Stage
from importer.transfer import Request

SECRET = "https://host/disk?X-Amz-Signature=hush"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Exit code and termination message of a worker with these variables."""

    def once(**variables: str) -> tuple[int, str]:
        log = tmp_path / "log"
        known = {"CDI_TARGET": str(tmp_path / "disk.img"), "CDI_TERMINATION_LOG": str(log)}
        environ = {**known, "IMPORTER_ENDPOINT": "http://127.0.0.1:1/", **variables}
        importing = pod.Importing(environ)
        framed = worker.Worker(importing.work, importing.prefix, worker.IMPORT_METRIC)
        return worker.run(framed, environ), log.read_text()

    return once


@pytest.mark.parametrize("stage", [Stage.PROBING, Stage.FETCHING])
def test_a_defect_is_told_by_its_place_and_not_by_its_text(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The text of an exception may hold what is secret in a URL, and the message goes into the DataVolume's status."""

    def defective(request: Request, progress: Progress, cancel: Cancel) -> None:
        progress.enter(stage)
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(transfer, "run", defective)
    status, message = run()
    assert status == 1
    assert message.startswith(
        "Unable to process data: [ImporterDefect] the importer ran into a defect of its own: "
        "ZeroDivisionError in importer/test_pod.py, line "
    )
    assert "hush" not in message
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR and record.exc_info]
    assert SECRET in str(record.exc_info[1] if record.exc_info else "")


def test_what_the_source_did_while_it_was_probed_keeps_its_phrase(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(request: Request, progress: Progress, cancel: Cancel) -> None:
        progress.enter(Stage.PROBING)
        raise Fault("SourceStalled", source="s", seconds=1, got=0)

    monkeypatch.setattr(transfer, "run", refused)
    assert run()[1].startswith("Unable to connect to http data source: [SourceStalled]")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FILESYSTEM_OVERHEAD": "much"}, "FILESYSTEM_OVERHEAD: 'much' is no share from 0 to 1."),
        ({"FILESYSTEM_OVERHEAD": "nan"}, "FILESYSTEM_OVERHEAD: 'nan' is no share from 0 to 1."),
        ({"FILESYSTEM_OVERHEAD": "6"}, "FILESYSTEM_OVERHEAD: '6' is no share from 0 to 1."),
        ({"CDI_METRIC_ADDRESS": "here", "OWNER_UID": "u"}, "CDI_METRIC_ADDRESS: 'here' ends in no port."),
    ],
)
def test_a_variable_that_cannot_be_is_told(variables: dict[str, str], said: str, run: Run) -> None:
    status, message = run(**{"CDI_TARGET": "", **variables})
    assert status == 1
    assert message.startswith(f"Unable to process data: [ManifestInvalid] {said}")


@pytest.mark.parametrize(("text", "share"), [("", 0.0), ("0", 0.0), ("0.06", 0.06), ("1", 1.0)])
def test_an_overhead_is_a_share(text: str, share: float) -> None:
    assert ImportEnvironment(overhead=text).share == share
