"""Workers and controllers of any version understand each other, and nobody else's words break either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.faults import Fault
from cdi.base.wire.environment import ImportEnvironment, decode_import
from cdi.base.wire.progress import ProgressLine, decode_progress
from cdi.base.wire.termination import LONGEST, Termination, decode_termination, write_termination

# As the version before wrote them.
LINE = (
    '{"stage":"Fetching","bytesDone":5,"bytesTotal":10,"percent":50.0,"rateBps":3,"etaSeconds":2,"durable":4,'
    '"record":"r"}'
)
DONE = (
    '{"preallocationApplied": true, "message": "Import Complete", "source": {"etag": "\\"a\\""}, '
    '"notes": ["SourceChanged: x"], "bytesDone": 7}'
)

_counts = st.integers(0, 2**63 - 1)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=16)


def test_a_progress_line_of_the_version_before_is_understood() -> None:
    line = ProgressLine("Fetching", 5, 10, 50.0, 3, 2, 4, "r")
    assert decode_progress(LINE) == decode_progress(LINE.encode()) == line
    assert line.encode() == LINE


def test_a_termination_of_the_version_before_is_understood() -> None:
    said = Termination("Import Complete", True, False, {"etag": '"a"'}, ("SourceChanged: x",), 7)
    assert decode_termination(DONE) == said
    assert json.loads(said.encode()) == json.loads(DONE)
    scratch = '{"scratchSpaceRequired": true, "message": "Import Complete"}'
    assert Termination("Import Complete", scratch_space_required=True).encode() == scratch


@given(
    st.builds(ProgressLine, st.text("aB", min_size=1), _counts, _counts | st.none(), st.floats(0, 100), record=_texts)
)
def test_every_progress_line_is_read_as_it_was_written(line: ProgressLine) -> None:
    assert decode_progress(line.encode()) == line


@given(
    st.builds(
        Termination,
        _texts,
        st.booleans() | st.none(),
        st.booleans(),
        st.dictionaries(_texts, _texts, max_size=3),
        st.lists(_texts, max_size=3).map(tuple),
        _counts,
    )
)
def test_every_termination_is_read_as_it_was_written(said: Termination) -> None:
    assert decode_termination(said.encode()) == said


def test_a_success_with_long_notes_stays_a_success(tmp_path: Path) -> None:
    said = Termination("Import Complete", False, source={"etag": "e"}, notes=("n" * 5000,))
    write_termination(tmp_path / "log", said.encode())
    assert decode_termination((tmp_path / "log").read_bytes()) == Termination(
        "Import Complete", False, source={"etag": "e"}
    )


def test_what_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    write_termination(tmp_path / "log", "no file \udcff\nthere" + "x" * 5000)
    assert (tmp_path / "log").read_bytes().startswith(b"no file ? there")
    assert (tmp_path / "log").stat().st_size == LONGEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "words of a library",
        "[]",
        "[" * 3000,
        '{"a":' * 3000,
        '{"bytesDone":-1,"message":1}',
        '{"bytesDone":true,"message":"a","preallocationApplied":1}',
        '{"bytesDone":1e999,"notes":[1]}',
        '{"bytesDone":NaN,"source":{"a":1}}',
        '{"bytesDone":1.5,"source":[]}',
        '{"bytesDone":9223372036854775808,"message":null}',
        '{"bytesDone":' + "9" * 15000 + ',"message":[]}',
        '{"stage":"\\ud800","message":"\\ud800"}',
        '{"stage":"' + "x" * 20000 + '","message":"' + "x" * 20000 + '"}',
        b"\xff\xfe",
        b'{"stage":"\xff","message":"\xff"}',
    ],
    ids=range(16),
)
def test_what_no_worker_says_is_nothing(text: str | bytes) -> None:
    assert decode_progress(text) is None
    assert decode_termination(text) == Termination()


ORDER: dict[str, Any] = {
    "source": "s3",
    "endpoint": "http://h/b/k",
    "archive": True,
    "image_size": "1Gi",
    "overhead": "0.06",
    "preallocation": True,
    "checksum": "sha256:00",
    "insecure": True,
    "owner_uid": "u",
    "headers": tuple(f"X-{number}: a" for number in range(12)),
    "certificates": "/certs",
    "proxy_certificates": "/proxycerts/",
    "durable": "r",
}


def test_an_order_is_read_as_it_was_written() -> None:
    told = ImportEnvironment(**ORDER)
    assert decode_import(told.encode()) == told
    assert decode_import(ImportEnvironment().encode()) == ImportEnvironment()
    assert (told.size, told.share) == (1 << 30, 0.06)


def test_defaults_are_those_of_the_contract() -> None:
    assert decode_import({}) == ImportEnvironment(overhead="")
    assert decode_import({"IMPORTER_SOURCE": ""}).source == "http"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PREALLOCATION": "perhaps"}, "PREALLOCATION: 'perhaps' is neither true nor false"),
        ({"IMPORTER_IMAGE_SIZE": "much"}, "IMPORTER_IMAGE_SIZE: 'much' is not a size"),
        ({"FILESYSTEM_OVERHEAD": "inf"}, "FILESYSTEM_OVERHEAD: 'inf' is no share from 0 to 1"),
    ],
)
def test_what_cannot_be_is_told_with_the_variable_s_name(variables: dict[str, str], said: str) -> None:
    def read() -> tuple[object, object]:
        told = decode_import(variables)
        return told.size, told.share

    with pytest.raises(Fault) as caught:
        read()
    assert said in caught.value.what
