from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.formats.magic import looks_like_a_page, recognise


@pytest.mark.parametrize(
    ("offset", "magic", "name"),
    [
        (0, b"\x1f\x8b\x08", "gz"),
        (0, b"\x28\xb5\x2f\xfd", "zst"),
        (0, b"\xfd7zXZ\0", "xz"),
        (0, b"QFI\xfb", "qcow2"),
        (0, b"KDMV", "vmdk"),
        (0x40, b"\x7f\x10\xda\xbe", "vdi"),
        (0, b"conectix", "vhd"),
        (0, b"vhdxfile", "vhdx"),
        (0x101, b"ustar", "tar"),
        (0, b"QED\0", "raw"),
        (0, b"\x50\x2a\x4d\x18\x04\0\0\0\1\2\3\4\x28\xb5\x2f\xfd", "zst"),
        (0, b"\x5f\x2a\x4d\x18\0\0\0\0\x50\x2a\x4d\x18\1\0\0\0!\x28\xb5\x2f\xfd", "zst"),
        (0, b"\x50\x2a\x4d\x18\xff\xff\xff\xff", "zst"),
        (0, b"\x50\x2a\x4d\x18\x04\0\0\0\1\2\3\4\x04\x22\x4d\x18", "raw"),
        (0, b"", "raw"),
    ],
)
def test_a_format_is_recognised_by_its_magic(offset: int, magic: bytes, name: str) -> None:
    assert recognise((bytes(offset) + magic).ljust(512, b"\0")) == name


def test_a_descriptor_that_names_files_is_refused() -> None:
    head = b'# Disk DescriptorFile\nversion=1\nRW 8 FLAT "/etc/passwd" 0\n'

    with pytest.raises(Fault) as caught:
        recognise(head)

    assert caught.value.code == "ImageHasExternalData"
    assert "'/etc/passwd'" in caught.value.message


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"<!DOCTYPE html>\n<html><head><title>Login</title></head></html>", "HTML"),
        (b"\xef\xbb\xbf \n<html><body>404</body></html>", "HTML"),
        (b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>", "XML"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "XML"),
        (b'{"errors": [{"code": "UNAUTHORIZED"}]}', "JSON"),
    ],
)
def test_a_page_is_told_from_a_disk(head: bytes, word: str) -> None:
    page = looks_like_a_page(head)

    assert page is not None
    assert word in page[0]
    assert page[1] == head.removeprefix(b"\xef\xbb\xbf").strip().splitlines()[0].decode()


@pytest.mark.parametrize(
    "head",
    [
        bytes(4096),
        b"<html>".ljust(4096, b"\0"),
        b"just some text on a raw disk\n" * 200,
        b"{not json",
        b"",
        b" \n\t",
        b"\xeb\x63\x90" + bytes(509),
    ],
)
def test_what_is_not_surely_a_page_is_a_disk(head: bytes) -> None:
    assert looks_like_a_page(head) is None


def test_only_the_first_4_kib_count() -> None:
    assert looks_like_a_page(b"<html>" + b"x" * 4090 + bytes(512)) is not None
