"""A DataVolume with an s3 source, from a server that checks signatures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.corpus import Corpus
from support.kinds import Namespace, condition
from support.manifests import datavolume, secret, storage
from support.s3server import ACCESS_KEY, SECRET_KEY, S3Server
from support.volumes import read_volume


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus, host: str) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3"), host=host) as server:
        server.put_object("images", "disk.qcow2", (corpus.files / "disk.qcow2").read_bytes())
        yield server


def test_the_keys_of_a_secret_open_the_bucket(space: Namespace, s3: S3Server, corpus: Corpus) -> None:
    space.create(secret("keys", accessKeyId=ACCESS_KEY, secretKey=SECRET_KEY))
    source = {"s3": {"url": f"{s3.endpoint}/images/disk.qcow2", "secretRef": "keys"}}
    space.create(datavolume("disk", source, storage=storage("128Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    content = read_volume(space, "disk", corpus.size)
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)


def test_a_wrong_key_is_held_and_never_shown(space: Namespace, s3: S3Server) -> None:
    space.create(secret("keys", accessKeyId=ACCESS_KEY, secretKey="not-the-key-at-all"))
    source = {"s3": {"url": f"{s3.endpoint}/images/disk.qcow2", "secretRef": "keys"}}
    space.create(datavolume("disk", source, storage=storage("128Mi", "shared")))
    held = space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("reason") == "Error")
    assert held["status"]["phase"] == "ImportInProgress"
    assert "accessKeyId" in condition(held, "Running")["message"]
    assert "not-the-key-at-all" not in str(held) + str(space.list("Pod")) + str(space.list("Event"))
