"""Claims completed from a profile."""

import pytest

from storageprofiles.rendering import LOCAL_DIR, Claim, ClaimNotValid, ClaimPropertySet, Profile, render

BLOCK_FIRST = Profile(
    "ceph",
    (ClaimPropertySet(("ReadWriteMany",), "Block"), ClaimPropertySet(("ReadWriteOnce",), "Filesystem")),
    minimum_size=1000,
)


def a_claim(modes: tuple[str, ...] = (), mode: str = "", size: int = 0) -> Claim:
    return Claim("ceph", modes, mode, size)


@pytest.mark.parametrize(
    ("given", "modes", "mode"),
    [
        (a_claim(), ("ReadWriteMany",), "Block"),
        (a_claim(mode="Filesystem"), ("ReadWriteOnce",), "Filesystem"),
        (a_claim(("ReadWriteOnce",)), ("ReadWriteOnce",), "Filesystem"),
        (a_claim(("ReadOnlyMany",)), ("ReadOnlyMany",), "Filesystem"),
        (a_claim(("ReadOnlyMany",), "Block"), ("ReadOnlyMany",), "Block"),
    ],
    ids=["nothing", "volume-mode", "access-mode", "unknown-access-mode", "both"],
)
def test_what_is_left_open_comes_from_the_first_fitting_set(given: Claim, modes: tuple[str, ...], mode: str) -> None:
    rendered = render(given, BLOCK_FIRST)
    assert (rendered.access_modes, rendered.volume_mode) == (modes, mode)


def test_an_archive_needs_a_file_system() -> None:
    assert render(a_claim(), BLOCK_FIRST, archive=True).volume_mode == "Filesystem"
    with pytest.raises(ClaimNotValid, match="ContentType Archive cannot have block volumeMode"):
        render(a_claim(mode="Block"), BLOCK_FIRST, archive=True)


def test_a_profile_without_an_answer_says_what_to_set() -> None:
    with pytest.raises(ClaimNotValid, match=r"set spec\.storage\.accessModes"):
        render(a_claim(), Profile("x", ()))


def test_sizes_are_raised_to_the_minimum_and_by_the_overhead_of_file_systems_only() -> None:
    assert render(a_claim(mode="Block", size=1), BLOCK_FIRST).size == 1000
    assert render(a_claim(size=2**30), BLOCK_FIRST).size == 2**30
    assert render(a_claim(size=2**30), LOCAL_DIR).size == 2**30
    assert render(a_claim(mode="Filesystem", size=2**30), BLOCK_FIRST).size == 1138166334
