"""The catalogue: every entry tells what, what it means, and what to do."""

from pathlib import Path

import pytest

from cdi.base.faults import CATALOGUE, Fault

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_entry_has_three_sentences_and_forbids_hollow_advice(code: str) -> None:
    entry = CATALOGUE[code]
    for text in (entry.what, entry.means, entry.remedy):
        assert text.strip().endswith((".", "!", "?"))
        assert "see controller logs" not in text.lower()
    assert len(entry.remedy.split()) >= 3


def test_no_entry_is_without_a_place_that_raises_it() -> None:
    packages = ("cdi", "importer", "cloner", "uploadproxy", "storageprofiles")
    files = [file for package in packages for file in (ROOT / package).rglob("*.py") if file.name != "faults.py"]
    source = "".join(file.read_text() for file in files)
    assert [code for code in CATALOGUE if f'"{code}"' not in source] == []


def test_a_fault_states_code_values_meaning_and_remedy_behind_the_contract_phrase() -> None:
    fault = Fault("SourceNotFound", contract="Unable to connect to http data source:", source="http://h/x", status=404)
    assert fault.message == (
        "Unable to connect to http data source: [SourceNotFound] GET http://h/x answered 404. The file is not there. "
        "Try: correct the URL; a waiting import continues by itself."
    )


def test_a_missing_value_is_a_bug_found_at_once() -> None:
    with pytest.raises(TypeError, match="status"):
        Fault("SourceNotFound", source="x")


def test_line_breaks_never_reach_a_message() -> None:
    assert "\n" not in Fault("ImageInvalid", format="x", detail="a\nb").message


def test_what_a_server_wrote_acts_on_no_terminal_and_begins_no_line() -> None:
    fault = Fault("SourceNotFound", contract="no\x07", source="http://h/\x1b[2J\n\u202eTry: rm -rf", status=404)
    assert fault.message.isprintable()
    assert fault.told("nothing.").endswith("Try: nothing.")
