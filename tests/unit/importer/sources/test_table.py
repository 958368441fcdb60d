from __future__ import annotations

import subprocess
import sys

import pytest

from cdi.base.faults import Fault
from importer.sources import SourceSpec
from importer.sources.file import FileSource
from importer.sources.http import HttpSource
from importer.sources.table import open_source


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://h/x", HttpSource), ("HTTPS://h/x", HttpSource), ("file:///x", FileSource), ("file:/x", FileSource),
        ("./x", FileSource), ("/x", FileSource), ("disk:1.img", FileSource),
    ],
)  # fmt: skip
def test_the_scheme_chooses_the_source(url: str, kind: type) -> None:
    assert isinstance(open_source(SourceSpec(url)), kind)


@pytest.mark.parametrize(
    "url", ["", "  ", "ftp://h/x", "docker://h/x", "http://", "file://otherhost/x", "file:///"[:7]]
)
def test_unusable_sources_are_refused(url: str) -> None:
    with pytest.raises(Fault) as caught:
        open_source(SourceSpec(url))
    assert caught.value.code == "SourceUrlInvalid"


@pytest.mark.parametrize("kind", ["http", "s3"])
@pytest.mark.parametrize("url", ["file:///etc/passwd", "file:/etc/passwd", "/etc/passwd", "./x", "FILE:///x", " /x "])
def test_a_kind_that_was_asked_for_is_not_left(kind: str, url: str) -> None:
    with pytest.raises(Fault) as caught:
        open_source(SourceSpec(url, kind=kind))
    assert caught.value.code == "SourceUrlInvalid"


def test_an_http_source_is_no_object_of_s3() -> None:
    with pytest.raises(Fault, match="the scheme s3 is not http or https"):
        open_source(SourceSpec("s3://bucket/key", kind="http"))


def test_naming_sources_loads_no_network_code() -> None:
    code = "import sys, importer.sources.table; print(sorted({'ssl', 'http.client', 'urllib3'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
