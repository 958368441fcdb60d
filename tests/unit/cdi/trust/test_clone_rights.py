"""What tokens permit, on which objects."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from cdi.contract import annotations as a
from cdi.trust.clone_rights import has_lasting, is_permitted
from cdi.trust.tokens import Permit, Place, Signer, key_pair

PERMIT = Permit(Place("images", "fedora"), Place("team", "disk"), uid="u1")
UNBOUND = replace(PERMIT, uid="")


def now() -> datetime.datetime:
    """When a test runs: what was signed when this file was read may have expired by then."""
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(key_pair().private)


def test_a_short_token_permits_what_it_names(signer: Signer) -> None:
    notes = {a.CLONE_TOKEN: signer.token(UNBOUND, now())}
    assert is_permitted(PERMIT, notes, signer.verified)
    assert not has_lasting(PERMIT, notes, signer.verified)


def test_a_lasting_token_is_for_one_object_and_for_years(signer: Signer) -> None:
    made = signer.lasting(PERMIT, now() - datetime.timedelta(days=3000))
    notes = {a.EXTENDED_CLONE_TOKEN: made}
    assert is_permitted(PERMIT, notes, signer.verified)
    assert has_lasting(PERMIT, notes, signer.verified)
    assert not is_permitted(replace(PERMIT, uid="u2"), notes, signer.verified)
    assert not has_lasting(replace(PERMIT, uid="u2"), notes, signer.verified)


@pytest.mark.parametrize(
    "other",
    [
        replace(UNBOUND, source=Place("images", "windows")),
        replace(UNBOUND, source=Place("others", "fedora")),
        replace(UNBOUND, target=Place("team", "other")),
        replace(UNBOUND, target=Place("others", "disk")),
        replace(UNBOUND, is_snapshot=True),
    ],
)
def test_a_token_for_something_else_permits_nothing(signer: Signer, other: Permit) -> None:
    assert not is_permitted(PERMIT, {a.CLONE_TOKEN: signer.token(other, now())}, signer.verified)


def test_neither_does_an_expired_one_nor_one_of_another_key_nor_none(signer: Signer) -> None:
    past = signer.token(UNBOUND, now() - datetime.timedelta(minutes=6))
    foreign = Signer(key_pair().private).token(UNBOUND, now())
    for token in (past, foreign, "", "x.y.z", "x" * 1_000_000):
        assert not is_permitted(PERMIT, {a.CLONE_TOKEN: token, a.EXTENDED_CLONE_TOKEN: token}, signer.verified)
    assert not is_permitted(PERMIT, {}, signer.verified)


def test_within_a_namespace_none_is_needed(signer: Signer) -> None:
    assert is_permitted(replace(PERMIT, source=Place("team", "fedora")), {}, signer.verified)
