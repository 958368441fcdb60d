from __future__ import annotations

import pytest

from uploadproxy.proxy.paths import PATHS, server_path


def test_both_prefixes_have_the_contract_s_four_paths() -> None:
    kinds = ("upload", "upload-async", "upload-form", "upload-form-async")
    assert set(PATHS) == {f"/{version}/{kind}" for version in ("v1beta1", "v1alpha1") for kind in kinds}


@pytest.mark.parametrize("path", PATHS)
def test_a_disk_goes_where_it_was_sent_and_an_archive_to_the_path_of_archives(path: str) -> None:
    assert server_path(path, is_archive=False) == path
    assert server_path(path, is_archive=True) == f"/{'v1alpha1' if 'alpha' in path else 'v1beta1'}/upload-archive"
