"""Whether a provisioner has given up for good."""

import time

import pytest

from storageprofiles.clone_errors import UNABLE, final_error

_EVENT = 'failed to provision volume with StorageClass "fast": '


@pytest.mark.parametrize(
    "code", ["InvalidArgument", "NotFound", "FailedPrecondition", "Unimplemented", "Internal", "OutOfRange", "Unknown"]
)
def test_most_codes_end_a_method(code: str) -> None:
    assert final_error(f"{_EVENT}rpc error: code = {code} desc = no") == code


@pytest.mark.parametrize("code", ["Canceled", "DeadlineExceeded", "Unavailable", "Aborted", "ResourceExhausted", "OK"])
def test_what_may_still_go_on_in_the_background_ends_nothing(code: str) -> None:
    assert final_error(f"{_EVENT}rpc error: code = {code} desc = rpc error: code = Internal desc = no") is None


@pytest.mark.parametrize(
    "message",
    ["", "connection refused", "persistentvolumeclaims is forbidden: exceeded quota: q", "code = Internal desc = x"],
)
def test_what_is_no_such_error_ends_nothing(message: str) -> None:
    assert final_error(_EVENT + message) is None


@pytest.mark.parametrize(
    "what",
    [
        "clone operations: controller CLONE_VOLUME capability is not reported",
        "snapshot restore: controller CREATE_DELETE_SNAPSHOT capability is not reported",
    ],
)
def test_a_driver_that_says_it_cannot_never_will(what: str) -> None:
    assert final_error(f"{_EVENT}CSI driver does not support {what}") == UNABLE


def test_a_text_without_an_end_is_read_in_no_time() -> None:
    started = time.process_time()
    for text in ("rpc error: code = " * 500_000, "CSI driver does not support " + "a" * 5_000_000):
        assert final_error(text) is None
    assert time.process_time() - started < 1.0
