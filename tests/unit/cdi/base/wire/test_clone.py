"""What the controller tells a clone's source pod, and what a source pod of CDI's is told, is read as it was meant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.faults import Fault
from cdi.base.wire.clone import SOURCE_DIR, CloneEnvironment, claim_uri, client_name, decode_clone

# Of a pod that CDI's own controller made, its PEMs cut short.
THEIRS = {
    "CLIENT_KEY": "key",
    "CLIENT_CERT": "cert",
    "SERVER_CA_CERT": "ca",
    "UPLOAD_URL": "https://cdi-upload-target.ns.svc:8443/v1beta1/upload",
    "OWNER_UID": "uid",
    "PREALLOCATION": "false",
    "VOLUME_MODE": "filesystem",
    "MOUNT_POINT": SOURCE_DIR,
}

_words = st.text("abC/.-", min_size=1, max_size=12)


def test_the_environment_of_a_pod_of_cdis_is_understood() -> None:
    told = decode_clone(THEIRS)
    assert (told.block, told.archive, told.preallocation, told.mount_point) == (False, False, False, SOURCE_DIR)
    assert (told.upload_url, told.server_ca, told.owner_uid) == (THEIRS["UPLOAD_URL"], "ca", "uid")
    assert (told.client_key, told.client_certificate) == ("key", "cert")
    assert (told.size, told.share) == (None, 0)
    assert "key" not in repr(told).replace("client_key", "")


@given(
    st.builds(
        CloneEnvironment,
        mount_point=_words,
        block=st.booleans(),
        upload_url=st.just("") | _words,
        server_ca=st.just("") | _words,
        owner_uid=st.just("") | _words,
        preallocation=st.booleans(),
        image_size=st.sampled_from(["", "1Gi", "5"]),
        overhead=st.sampled_from(["", "0.06"]),
    ),
    st.booleans(),
)
def test_every_environment_is_read_as_it_was_written_but_for_secrets(told: CloneEnvironment, archive: bool) -> None:
    told = replace(told, archive=archive and not told.block)
    assert decode_clone(told.encode()) == told
    assert decode_clone(replace(told, client_key="k", client_certificate="c").encode()) == told


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"MOUNT_POINT": ""}, "MOUNT_POINT"),
        ({"VOLUME_MODE": "Block"}, "VOLUME_MODE"),
        ({"CDI_CONTENT_TYPE": "tar"}, "CDI_CONTENT_TYPE"),
        ({"CDI_CONTENT_TYPE": "archive", "VOLUME_MODE": "block"}, "CDI_CONTENT_TYPE"),
        ({"PREALLOCATION": "perhaps"}, "PREALLOCATION"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_variable(variables: dict[str, str], where: str) -> None:
    with pytest.raises(Fault) as caught:
        decode_clone(THEIRS | variables)
    assert (caught.value.code, caught.value.values["where"]) == ("ManifestInvalid", where)


def test_two_pairs_of_claims_may_have_one_name_and_have_two_uris() -> None:
    assert client_name("ns1/x", "q-y/z") == client_name("ns1/x-q", "y/z")
    assert claim_uri("1") != claim_uri("2")
