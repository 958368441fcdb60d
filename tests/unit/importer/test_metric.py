from __future__ import annotations

import re

from importer.metric import exposition
from importer.worker import CLONE_METRIC as CLONE
from importer.worker import IMPORT_METRIC as IMPORT

# What the contract's controller looks for in the body.
SCRAPER = r'({}){{ownerUID="{}"}} (\d{{1,3}}\.?\d*)'


def test_the_contracts_scraper_finds_the_percentage() -> None:
    text = exposition(IMPORT, "e6a5", 42.125)
    found = re.search(SCRAPER.format(f"{CLONE}|{IMPORT}", "e6a5"), text)
    assert found is not None
    assert found.groups() == (IMPORT, "42.12")


def test_an_owner_cannot_break_the_text() -> None:
    lines = exposition(CLONE, 'a"b\nc\\', 0.0).splitlines()
    assert lines[-1] == CLONE + r'{ownerUID="a\"b\nc\\"} 0.00'
    assert len(lines) == 3
