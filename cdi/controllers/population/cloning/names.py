"""Names of what is made for a clone. Anybody can compute the first name of each; where somebody did, a second one that
nobody could know is taken. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cdi.contract import names
from cdi.controllers.population.plan import Role

_FIRST: Mapping[Role, Callable[[str], str]] = {
    Role.PRIME: names.temporary_claim,
    Role.SNAPSHOT: names.temporary_snapshot,
    Role.RESTORED: names.restored_claim,
    Role.PREPARATION: names.preparation,
    Role.SOURCE: names.source_pod,
}
MARK_CHARACTERS = 16  # of a mark, which is hexadecimal


def first_name(role: Role, uid: str) -> str:
    """``uid``: of the target claim."""
    return _FIRST[role](uid)


def second_name(role: Role, uid: str, mark: str) -> str:
    return f"{_FIRST[role](uid)}-{mark}"


def name_of(role: Role, uid: str, mark: str, *, is_taken: bool) -> str:
    """``is_taken``: somebody else has the first name."""
    return second_name(role, uid, mark) if is_taken else first_name(role, uid)


def is_mark(text: str) -> bool:
    """Whether it may be part of a name: anybody may have written it."""
    return len(text) == MARK_CHARACTERS and all(character in "0123456789abcdef" for character in text)
