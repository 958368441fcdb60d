"""The file in a form, whatever is around it and in whatever pieces it comes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.uploading import form_of

from cdi.base.faults import Fault
from uploadproxy.server.form import Form

TYPE = "multipart/form-data; boundary=b0undary"
MARK = b"--b0undary\r\n"


def reader(data: bytes, step: int) -> Callable[[memoryview], int]:
    left = memoryview(data)

    def readinto(buffer: memoryview) -> int:
        nonlocal left
        count = min(len(buffer), step, len(left))
        buffer[:count] = left[:count]
        left = left[count:]
        return count

    return readinto


def file_in(data: bytes, step: int = 1 << 16, content_type: str = TYPE, piece: int = 1 << 16) -> bytes:
    form, found = Form(content_type, reader(data, step)), bytearray()
    buffer = memoryview(bytearray(piece))
    while count := form.readinto(buffer):
        found += buffer[:count]
    assert form.readinto(buffer) == 0
    return bytes(found)


def fault_of(work: Callable[[], object]) -> Fault | None:
    try:
        work()
    except Fault as fault:
        return fault
    return None


def part(name: str, data: bytes) -> bytes:
    return MARK + f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"


# Contents that look like the marks around them.
_contents = (
    st.lists(
        st.sampled_from(
            [b"\r\n", b"--", b"b0undary", b"\r\n--b0undar", b"\r", b"\n", b"-", b"x" * 300, b"\r\n--b0undarY--"]
        )
        | st.binary(max_size=50),
        max_size=12,
    )
    .map(b"".join)
    .filter(lambda data: b"\r\n--b0undary" not in data)
)


@given(
    _contents,
    st.integers(1, 400),
    st.integers(1, 400),
    st.lists(_contents, max_size=3),
    st.lists(_contents, max_size=2),
)
def test_the_file_is_what_stands_between_its_marks(
    data: bytes, step: int, piece: int, before: list[bytes], after: list[bytes]
) -> None:
    others = b"".join(part(f"other{number}", content) for number, content in enumerate(before))
    form = form_of(data, before=others)
    end = len(form) - len(b"--b0undary--\r\n")
    form = (
        form[:end]
        + b"".join(part("file" if not number else "last", content) for number, content in enumerate(after))
        + form[end:]
    )
    assert file_in(form, step, piece=piece) == data


@given(st.binary(max_size=300), st.integers(1, 400))
def test_no_bytes_are_more_than_an_answer(data: bytes, step: int) -> None:
    for form in (data, MARK + data, form_of(b"file")[:-20] + data, form_of(data[:100])[: len(data)]):
        fault = fault_of(lambda form=form: file_in(form, step))
        assert fault is None or (fault.code == "UploadMalformed" and len(fault.message) < 1000)


@given(st.text(max_size=80) | st.builds("multipart/form-data; boundary={}".format, st.text(max_size=20)))
def test_no_content_type_is_more_than_an_answer(text: str) -> None:
    fault = fault_of(lambda: Form(text, reader(b"", 1)))
    assert fault is None or fault.code == "UploadMalformed"


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (part("other", b"x") + b"--b0undary--\r\n", "no part named file"),
        (form_of(b"data")[:-5], "unexpected end"),
        (part("other", bytes(2 << 20)) + form_of(b"data"), "beside the part named file"),
        (form_of(b"data") + bytes(2 << 20), "beside the part named file"),
        (b"".join(part(f"n{number}", b"") for number in range(100)) + form_of(b"data"), "count exceeded"),
        (MARK + b"A: " + b"b" * 200_000, "header length exceeded"),
        (MARK + b"A: b\r\n" * 5000, "header count exceeded"),
    ],
)
def test_what_is_no_form_with_a_file_says_why(form: bytes, words: str) -> None:
    with pytest.raises(Fault) as caught:
        file_in(form)
    assert words in caught.value.message.lower()


def test_a_preamble_and_an_epilogue_are_no_part_of_the_file() -> None:
    assert file_in(b"This is a form.\r\n" + form_of(b"data") + b"That was it.") == b"data"
