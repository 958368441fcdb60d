"""Where a session's location leads, and what is shown of it."""

from __future__ import annotations

import pytest

from cdi.base.upload_permits import UploadPermit
from uploadproxy.proxy.refusal import Refusal
from uploadproxy.proxy.sessions import SESSIONS, claim_in, shown


def test_a_location_names_its_claim() -> None:
    assert claim_in(f"{SESSIONS}/team/my.disk/0e1f-22/aB_-9") == UploadPermit("team", "my.disk", "0e1f-22")


@pytest.mark.parametrize(
    "place", ["", "team/disk/0e1f", "team/disk//id", "team/disk/0e1f/id/more", "../disk/0e1f/id", "team/di%2fsk/0e/id",
              "Team/disk/0e1f/id", "team/disk/0e1f/" + "x" * 65, "team/disk/0e1f/i\nd"]
)  # fmt: skip
def test_what_is_no_location_is_unknown(place: str) -> None:
    with pytest.raises(Refusal, match="UploadSessionUnknown") as refused:
        claim_in(f"{SESSIONS}/{place}")
    assert refused.value.status == 404


def test_an_id_is_never_shown() -> None:
    assert shown(f"{SESSIONS}/team/disk/0e1f/secret") == f"{SESSIONS}/..."
    assert shown("/v1beta1/upload") == "/v1beta1/upload"
