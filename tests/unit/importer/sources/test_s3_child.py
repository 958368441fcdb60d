from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.sources.s3_access import S3Access
from importer.sources.s3_child import S3Child, Signed, Unsigned, child_environment


def test_the_child_does_not_inherit_what_a_worker_was_given() -> None:
    environ = {"PATH": "/bin", "IMPORTER_SECRET_KEY": "SK", "AWS_SECRET_ACCESS_KEY": "SK", "http_proxy": "http://u:p@h"}
    assert child_environment(environ).keys() == {"PATH", "PYTHONPATH"}


def test_a_signature_is_renewed_at_its_share_of_the_lifetime() -> None:
    assert Signed("http://h/", at_s=100.0, expires_s=200.0).renew_s(0.8) == 180.0


def test_a_signed_url_and_signed_headers_are_not_in_the_representation() -> None:
    assert "X-Amz" not in repr(Signed("http://h/?X-Amz-Signature=1", 0.0, 1.0))
    assert "key" not in repr(Unsigned("http://h/", {"x-amz-server-side-encryption-customer-key": "k"}, "r"))


def test_after_an_interrupt_no_child_is_started() -> None:
    child = S3Child(S3Access(("AK", "SK", "")), 60)
    child.interrupt()
    with pytest.raises(Fault) as caught:
        child.sign(Unsigned("http://h/b1/k", {}, "r"))
    assert caught.value.code == "Cancelled"


def test_the_fault_of_the_child_is_raised_here() -> None:
    child = S3Child(S3Access(chain={"AWS_PROFILE": "p", "AWS_CONFIG_FILE": "/absent", "HOME": "/absent"}), 60)
    with pytest.raises(Fault, match="the credentials lack the profile p"):
        child.sign(Unsigned("http://h/b1/k", {}, "r"))
