"""The ``cdi`` command on a cluster, run the way a person does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import support.cluster
import yaml
from support.corpus import Corpus
from support.importing import Outcome, cdi, start
from support.kinds import Cluster, Namespace, Object, condition
from support.manifests import datavolume, http, storage
from support.nginx import Nginx
from support.volumes import read_volume

from tests.cluster.bed import place


class Command:
    """``cdi`` as somebody who works in ``namespace``."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self._env = {"KUBECONFIG": kubeconfig}
        self._namespace = namespace

    def __call__(self, *words: object) -> Outcome:
        return cdi(*words, "-n", self._namespace, env=self._env)

    def start(self, *words: object) -> subprocess.Popen[str]:
        return start(*words, "-n", self._namespace, env=self._env)


@pytest.fixture
def command(installed: support.cluster.Cluster, space: Namespace) -> Command:
    return Command(os.environ.get("CDI_TEST_KUBECONFIG") or str(place.KUBECONFIG), space.name)


@pytest.mark.parametrize("class_name", ["csi", "csi-wffc"])
def test_an_import_makes_a_volume_of_the_right_size_and_follows_it(
    command: Command, space: Namespace, web: Nginx, corpus: Corpus, class_name: str
) -> None:
    done = command("import", web.url("disk.qcow2"), "dv/disk", "--class", class_name)
    assert done.status == 0, done.stderr
    where, *told = done.stderr.splitlines()
    assert where.startswith("cluster: https://")
    assert where.endswith(f"namespace {space.name}")
    assert f"datavolume {space.name}/disk created" in done.stderr
    assert ("waits for a first consumer: bound at once" in done.stderr) is (class_name == "csi-wffc")
    assert "Succeeded" in told[-1]
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum

    again = command("import", web.url("disk.qcow2"), "dv/disk", "--class", class_name)
    assert again.status == 2
    assert "[ObjectExists]" in again.stderr


def test_a_volume_is_listed_shown_described_and_deleted(command: Command, space: Namespace, web: Nginx) -> None:
    space.create(datavolume("disk", http(web.url("disk.raw")), storage=storage("128Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    assert "disk" in command("get", "dv").stdout
    assert "Succeeded" in command("get", "dv", "disk").stdout
    shown = yaml.safe_load(command("get", "dv", "disk", "-o", "yaml").stdout)
    assert shown["status"]["phase"] == "Succeeded"
    described = command("describe", "dv", "disk").stdout
    assert "etag" in described  # which version of the source it holds
    assert json.loads(command("describe", "dv", "disk", "-o", "json").stdout)["object"]["metadata"]["name"] == "disk"
    assert "Its disk is whole" in command("why", "disk").stdout
    assert command("watch", "dv", "disk").status == 0
    gone = command("delete", "dv/disk")
    assert (gone.status, gone.stdout) == (0, f"datavolume {space.name}/disk deleted\n")
    space.wait_gone("DataVolume", "disk")
    missing = command("get", "dv", "disk")
    assert missing.status != 0
    assert "[ObjectNotFound]" in missing.stderr


def test_a_held_import_says_why_and_what_to_do(command: Command, space: Namespace, web: Nginx) -> None:
    space.create(datavolume("disk", http(web.url("no-such-disk")), storage=storage("128Mi", "shared")))
    space.wait("DataVolume", "disk", _waits_for_a_while)
    said = command("why", "disk").stdout
    assert "SourceNotFound" in said
    assert "needs you" in said
    assert "The next attempt is at 20" in said
    assert "Try: correct the URL" in said
    watched = command("watch", "dv", "disk")
    assert watched.status == 3  # the source, for good

    space.patch("DataVolume", "disk", {"spec": {"source": http(web.url("disk.raw"))}})
    space.wait_phase("disk", "Succeeded", timeout_s=120)
    assert "failure" not in space.get("DataVolume", "disk")["status"]


def _waits_for_a_while(found: Object) -> bool:
    """The back-off begins with a second and doubles: after four attempts it is long enough to be looked at."""
    failure = found.get("status", {}).get("failure", {})
    return failure.get("attempts", 0) >= 4 and "nextAttempt" in failure


def test_who_stops_to_look_on_stops_nothing(command: Command, space: Namespace, web: Nginx) -> None:
    process = command.start("import", web.url("disk.raw", "slow"), "dv/disk", "--class", "shared", "--size", "128Mi")
    space.wait("DataVolume", "disk", lambda dv: condition(dv, "Running").get("status") == "True")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 8
    assert f"{space.name}/disk goes on. Follow it again: cdi watch dv/{space.name}/disk" in told
    space.wait_phase("disk", "Succeeded", timeout_s=120)


def test_classes_are_told_with_what_they_can_do(command: Command, kinds: Cluster) -> None:
    listed = command("storage").stdout
    assert "csi (default)" in listed
    assert "WaitForFirstConsumer" in listed
    found = {row["name"]: row for row in json.loads(command("storage", "-o", "json").stdout)}
    assert found["csi"]["is_default"] is True
    assert {item["metadata"]["name"] for item in kinds.list("StorageClass")} >= {"csi", "shared"} & set(found)


def test_a_cluster_that_does_not_answer_is_an_error_and_nothing_else_is_taken(tmp_path: Path) -> None:
    nowhere = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    config = tmp_path / "config"
    config.write_text(yaml.safe_dump(nowhere))
    refused = cdi("get", "dv", "--kubeconfig", config)
    assert refused.status == 4
    assert "[ClusterUnreachable]" in refused.stderr
    assert refused.stderr.startswith("cluster: http://127.0.0.1:1, namespace default\n")
