from __future__ import annotations

import hashlib

import pytest

from cdi.base.faults import Fault
from importer.checksum import Checksum

DATA = b"a disk"


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_the_right_bytes_pass_in_any_spelling(algorithm: str) -> None:
    digest = hashlib.new(algorithm, DATA).hexdigest()
    for text in (f"{algorithm}:{digest}", f" {algorithm.upper()}: {digest.upper()}\n"):
        checksum = Checksum.parse(text)
        assert str(checksum) == f"{algorithm}:{digest}"
        hasher = checksum.hasher()
        hasher.update(DATA[:3])
        hasher.update(memoryview(DATA)[3:])
        hasher.verify()


def test_other_bytes_are_told_with_the_contracts_text() -> None:
    expected, calculated = "0" * 32, hashlib.md5(b"other").hexdigest()
    hasher = Checksum.parse(f"md5:{expected}").hasher()
    hasher.update(b"other")
    with pytest.raises(Fault) as caught:
        hasher.verify()
    assert caught.value.code == "ChecksumMismatch"
    assert caught.value.message.startswith(
        f"checksum validation failed: checksum mismatch: expected md5:{expected}, calculated md5:{calculated} ["
    )


@pytest.mark.parametrize(
    "text",
    ["", "sha256", "sha256:", "sha256:abc", "md5:" + "g" * 32, "crc32:" + "0" * 8, "0" * 64, "sha256:" + "0" * 63],
)
def test_what_is_no_checksum_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="Invalid checksum format") as caught:
        Checksum.parse(text)
    assert caught.value.code == "ChecksumInvalid"
