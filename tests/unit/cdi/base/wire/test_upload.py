"""What the controller tells an upload server, and what a server of CDI's is told, is read as it was meant."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.faults import Fault
from cdi.base.wire.termination import Termination, decode_termination
from cdi.base.wire.upload import DEADLINE_PASSED, Claim, UploadEnvironment, decode_upload

# Of a pod that CDI's own controller made.
THEIRS = {
    "TLS_KEY_FILE": "/etc/tls/tls.key",
    "TLS_CERT_FILE": "/etc/tls/tls.crt",
    "CLIENT_CERT_FILE": "/etc/tls/ca.crt",
    "FILESYSTEM_OVERHEAD": "0.06",
    "UPLOAD_IMAGE_SIZE": "1333788672",
    "CLIENT_NAME": "client.upload-server.cdi.kubevirt.io",
    "PREALLOCATION": "false",
    "TLS_CIPHERS": "TLS_AES_128_GCM_SHA256,ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_MIN_VERSION": "VersionTLS12",
    "DEADLINE": "2026-11-22T23:27:47Z",
}
DEADLINE = datetime.datetime(2026, 11, 22, 23, 27, 47, tzinfo=datetime.UTC)

_words = st.text("abC/.-", min_size=1, max_size=12)


def test_the_environment_of_a_pod_of_cdis_is_understood_and_written_alike() -> None:
    told = decode_upload(THEIRS)
    assert told.encode() == THEIRS
    assert (told.size, told.share, told.deadline, told.block) == (1333788672, 0.06, DEADLINE, False)
    assert (told.address, told.port) == ("0.0.0.0", 8443)
    assert decode_upload(THEIRS | {"DESTINATION": "/dev/cdi-block-volume"}).block


@given(
    st.builds(
        UploadEnvironment,
        key_file=_words,
        client_name=_words,
        client_uri=st.just("") | _words,
        image_size=st.sampled_from(["", "1Gi", "5"]),
        overhead=st.sampled_from(["0", "0.06"]),
        preallocation=st.booleans(),
        ciphers=st.lists(_words, max_size=3).map(tuple),
        tls_min_version=st.sampled_from(["VersionTLS12", "VersionTLS13"]),
        deadline=st.none() | st.just(DEADLINE),
        block=st.booleans(),
        address=st.sampled_from(["0.0.0.0", "127.0.0.1", "::1"]),
        port=st.integers(0, 65535),
        claim=st.none() | st.builds(Claim, _words, _words, _words, _words, st.booleans()),
    )
)
def test_every_environment_is_read_as_it_was_written(told: UploadEnvironment) -> None:
    assert decode_upload(told.encode()) == told


def test_what_is_missing_has_the_contracts_defaults() -> None:
    assert decode_upload({}) == UploadEnvironment()
    assert UploadEnvironment().size is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PREALLOCATION", "yes"),
        ("TLS_MIN_VERSION", "TLSv1.2"),
        ("DEADLINE", "tomorrow"),
        ("DESTINATION", "/dev/sda"),
        ("LISTEN_PORT", "65536"),
        ("LISTEN_PORT", "\N{SUPERSCRIPT TWO}"),
    ],
)
def test_what_cannot_be_is_named(name: str, text: str) -> None:
    with pytest.raises(Fault, match=name):
        decode_upload(THEIRS | {name: text})


def test_a_size_or_share_that_is_none_is_named_when_it_is_needed() -> None:
    told = decode_upload(THEIRS | {"UPLOAD_IMAGE_SIZE": "big", "FILESYSTEM_OVERHEAD": "2"})
    with pytest.raises(Fault, match="UPLOAD_IMAGE_SIZE"):
        _ = told.size
    with pytest.raises(Fault, match="FILESYSTEM_OVERHEAD"):
        _ = told.share


def test_a_deadline_that_passed_is_said_in_the_contracts_words() -> None:
    said = Termination(DEADLINE_PASSED, deadline_passed=True)
    assert said.encode() == '{"deadlinePassed": true, "message": "Deadline Passed"}'
    assert decode_termination(said.encode()) == said
    assert not decode_termination('{"message": "Upload Complete"}').deadline_passed
