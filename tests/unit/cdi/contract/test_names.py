from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.contract import names

# What the API server takes for an object's name (RFC 1123).
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})*")
SOUND = st.from_regex(r"\A[a-z0-9]{1,3}([-.]{0,1}[a-z0-9]){0,125}\Z").filter(lambda name: len(name) <= 253)


@given(SOUND, st.sampled_from([names.importer, names.scratch, names.proxy_certificates, names.upload]))
def test_a_name_made_of_a_name_is_one(claim: str, made: object) -> None:
    name = made(claim)  # type: ignore[operator]
    assert len(name) <= 253 and NAME.fullmatch(name)


@pytest.mark.parametrize("at", range(200, 253))
def test_wherever_a_long_name_has_its_dot_the_cut_makes_no_other(at: int) -> None:
    claim = ("a" * at + "." + "b" * 252)[:252] + "c"
    for name in (names.importer(claim), names.scratch(claim), names.proxy_certificates(claim)):
        assert len(name) <= 253 and NAME.fullmatch(name), name


@given(SOUND)
def test_the_service_of_an_upload_has_a_name_of_one_label(claim: str) -> None:
    pod, service = names.upload(claim), names.upload_service(claim)
    assert NAME.fullmatch(pod) and re.fullmatch(LABEL, service)
    assert len(pod) <= 253 and len(service) <= 63


def test_a_long_name_of_a_service_has_fifty_characters_and_a_hash() -> None:
    """As CDI's: others compute the same name."""
    assert names.upload_service("a.b") == "cdi-upload-a-b"
    claim = "d" * 100 + "." + "e" * 59
    assert names.upload(claim) == f"cdi-upload-{claim}"
    assert names.upload_service(claim) == "cdi-upload-" + "d" * 39 + "-75726334-cdi"


def test_names_of_different_claims_differ_behind_a_cut_dot_too() -> None:
    first, second = ("a" * 236 + "." + end for end in ("b" * 16, "c" * 16))
    assert names.scratch(first) != names.scratch(second)
    assert names.scratch(first).startswith("a" * 236 + "-") and names.scratch(first).endswith("-scratch")
