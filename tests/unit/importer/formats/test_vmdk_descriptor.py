from __future__ import annotations

import contextlib
import time

import pytest

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.formats.vmdk_descriptor import check_descriptor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no descriptor at all",
        "parentCID=ffffffff",
        "parentCID = FFFFFFFF",
        "parentCID=0xffffffff\r\n",
        'createType="custom"\nRW 2048 SPARSE "a.vmdk"',
        'createType="twoGbMaxExtentSparse"\nRW 2048 SPARSE "../x/a.vmdk"',
        'createType="vmfsSparse"\nRW 2048 VMFSSPARSE "/vmfs/volumes/a.vmdk"',
        'RW 2048 SPARSE "C:\\\\vm\\\\a b.vmdk"\nRW and so on\n#RW 1 SPARSE "b"',
        'RW 8 FLAT "/etc/passwd" 0',
        'parentCID=ffffffff\0parentFileNameHint="x"',
    ],
)
def test_what_names_no_other_data_passes(text: str) -> None:
    check_descriptor(text.encode())


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("parentCID=12345678", "ImageHasBackingFile", "unnamed"),
        ('  ParentFileNameHint = "/etc/passwd"', "ImageHasBackingFile", "/etc/passwd"),
        ('RW 8 SPARSE "a.vmdk"\rRW 8 SPARSE "b.vmdk"', "ImageHasExternalData", "b.vmdk"),
        ("RW 8 ZERO\nRDONLY 8 ZERO", "ImageHasExternalData", "''"),
    ],
)
def test_a_parent_or_a_second_extent_is_refused(text: str, code: str, word: str) -> None:
    with pytest.raises(Fault) as caught:
        check_descriptor(text.encode())
    assert caught.value.code == code
    assert word in caught.value.message


@pytest.mark.parametrize(
    "unit",
    [
        "\n",
        " ",
        "\t\n",
        "a",
        "a=",
        "=",
        '"',
        "RW 1 SPARSE ",
        'RW 1 SPARSE "',
        "\r",
        "RW ",
        "9",
        "RW 9",
        "\xff",
        "\n a . =\n",
    ],
)
def test_the_longest_descriptor_takes_linear_time(unit: str) -> None:
    raw = (unit.encode("latin-1") * MiB)[:MiB]
    start = time.process_time()
    with contextlib.suppress(Fault):
        check_descriptor(raw)
    assert time.process_time() - start < 30  # 0.01 to 2 s
