"""``cdi run`` as a user runs it: manifests in, disks out, and a word on what went wrong."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.faultserver import FaultServer, Route
from support.importing import Outcome, cdi, kill, start

MiB = 1024 * 1024
DATA = random.Random(5).randbytes(3 * MiB)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


class Bench:
    """A data directory and a manifest in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.manifest = directory / "manifest.yaml"

    def write(self, *documents: object) -> None:
        self.manifest.write_text(yaml.safe_dump_all(documents))

    def run(self, *options: str) -> Outcome:
        return cdi("run", "-f", self.manifest, "--data", self.data, *options)

    def cdi(self, *arguments: str) -> Outcome:
        return cdi(*arguments, "--data", self.data)

    def disk(self, name: str) -> Path:
        return self.data / "default" / name / "disk.img"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def a_volume(
    name: str, source: object, size: str = "4Mi", version: str = "v1beta1", **spec: object
) -> dict[str, object]:
    storage = {"storage": {"resources": {"requests": {"storage": size}}}}
    return {
        "apiVersion": f"cdi.kubevirt.io/{version}",
        "kind": "DataVolume",
        "metadata": {"name": name},
        "spec": {"source": source, **storage, **spec},
    }


def http(url: str, **fields: object) -> dict[str, object]:
    return {"http": {"url": url, **fields}}


def test_the_manifest_of_the_readme_becomes_a_disk(server: FaultServer, bench: Bench) -> None:
    url = server.add("/disk.img", Route(body=DATA))
    claim = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "20Gi"}},
        "storageClassName": "local-dir",
    }
    volume = a_volume("rootdisk-vm1", http(url), version="v1alpha1")
    volume["spec"] = {"pvc": claim, "source": http(url)}
    bench.write(volume)
    outcome = bench.run()
    assert outcome.status == 0, outcome.stderr
    assert bench.disk("rootdisk-vm1").stat().st_size == 20 * 1024 * MiB
    with bench.disk("rootdisk-vm1").open("rb") as disk:
        assert disk.read(len(DATA)) == DATA
    listed = bench.cdi("get", "dv")
    header, row = listed.stdout.splitlines()
    assert header.split() == ["NAME", "PHASE", "PROGRESS", "RESTARTS", "AGE", "RATE", "ETA", "REASON"]
    assert row.split()[:4] == ["rootdisk-vm1", "Succeeded", "100.0%", "0"]
    assert listed.stderr == f"local: {bench.data}\n"


def test_blank_clone_and_template_volumes_come_from_one_file(server: FaultServer, bench: Bench) -> None:
    url = server.add("/disk.img", Route(body=DATA))
    template = a_volume("from-template", http(url))
    machine = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "vm"},
        "spec": {"dataVolumeTemplates": [{"metadata": template["metadata"], "spec": template["spec"]}]},
    }
    clone = a_volume("copy", {"pvc": {"namespace": "default", "name": "from-template"}}, size="8Mi")
    bench.write(clone, a_volume("empty", {"blank": {}}), machine, {"kind": "Pod", "metadata": {"name": "p"}})
    outcome = bench.run()
    assert outcome.status == 0, outcome.stderr
    assert bench.disk("empty").read_bytes() == bytes(4 * MiB)
    assert bench.disk("copy").read_bytes() == DATA + bytes(5 * MiB)
    assert "Pod p is left out: this machine is no cluster" in outcome.stderr


def test_a_second_run_leaves_complete_volumes_alone(server: FaultServer, bench: Bench) -> None:
    bench.write(a_volume("one", http(server.add("/disk.img", Route(body=DATA)))))
    assert bench.run().status == 0
    asked = len(server.requests)
    again = bench.run()
    assert (again.status, len(server.requests)) == (0, asked)
    assert "default/one: already populated" in again.stdout


def test_a_changed_manifest_of_a_complete_volume_is_refused(bench: Bench) -> None:
    bench.write(a_volume("one", {"blank": {}}))
    assert bench.run().status == 0
    bench.write(a_volume("one", {"blank": {}}, size="9Mi"))
    changed = bench.run()
    assert changed.status == 2
    assert "its spec cannot be changed: cdi delete dv default/one to make it anew" in changed.stderr
    assert bench.disk("one").stat().st_size == 4 * MiB


def test_a_permanent_fault_is_held_with_cause_and_remedy_and_heals_when_corrected(
    server: FaultServer, bench: Bench
) -> None:
    bench.write(a_volume("one", http(server.add("/gone", Route(status=404)))))
    outcome = bench.run("--wait")
    assert outcome.status == 3
    assert len(server.requests) == 1
    assert "Unable to connect to http data source: expected status code 200, got 404" in outcome.stderr
    shown = yaml.safe_load(bench.cdi("get", "dv", "one", "-o", "yaml").stdout)
    assert shown["status"]["phase"] == "ImportInProgress"
    assert shown["status"]["failure"]["code"] == "SourceNotFound"
    running = {item["type"]: item for item in shown["status"]["conditions"]}["Running"]
    assert (running["status"], running["reason"]) == ("False", "Error")
    explained = bench.cdi("why", "one").stdout
    assert "needs you" in explained
    assert "Try: correct the URL" in explained
    bench.write(a_volume("one", http(server.add("/disk.img", Route(body=DATA)))))
    assert bench.run().status == 0
    assert bench.cdi("get", "dv", "one", "-o", "json").stdout.count('"failure"') == 0


def test_with_json_standard_output_is_json_whatever_happens(server: FaultServer, bench: Bench) -> None:
    gone = server.add("/gone", Route(status=404))
    bench.write(a_volume("good", {"blank": {}}), a_volume("bad", http(gone)))
    outcome = bench.run("--json")
    lines = [json.loads(line) for line in outcome.stdout.splitlines()]
    failed = [line for line in lines if "error" in line]
    assert [(line["namespace"], line["name"], line["error"]["code"]) for line in failed] == [
        ("default", "bad", "SourceNotFound")
    ]
    assert outcome.status == failed[0]["error"]["exit"] == 3
    assert failed[0]["error"]["message"] in outcome.stderr


def test_transient_faults_are_waited_out(server: FaultServer, bench: Bench) -> None:
    bench.write(a_volume("one", http(server.add("/disk.img", Route(body=DATA, first=(2, 503))))))
    outcome = bench.run("--wait")
    assert outcome.status == 0, outcome.stderr
    shown = json.loads(bench.cdi("get", "dv", "one", "-o", "json").stdout)
    assert shown["status"]["restartCount"] == 2


def test_a_wrong_checksum_fails_the_volume_and_leaves_no_disk(server: FaultServer, bench: Bench) -> None:
    url = server.add("/disk.img", Route(body=DATA))
    bench.write(a_volume("one", http(url, checksum="sha256:" + "0" * 64)))
    outcome = bench.run("--wait")
    assert outcome.status == 6
    shown = json.loads(bench.cdi("get", "dv", "one", "-o", "json").stdout)
    assert shown["status"]["phase"] == "Failed"
    assert not bench.disk("one").exists()
    digest = hashlib.sha256(DATA).hexdigest()
    bench.write(a_volume("one", http(url, checksum=f"sha256:{digest}")))
    assert bench.run().status == 0


def test_secrets_of_the_same_file_are_used_and_written_nowhere(server: FaultServer, bench: Bench) -> None:
    url = server.add("/disk.img", Route(body=DATA, requires=("x-token", "hush-hush")))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token"},
        "stringData": {"secretHeader": "x-token: hush-hush"},
    }
    bench.write(secret, a_volume("one", http(url, secretExtraHeaders=["token"])))
    outcome = bench.run()
    assert outcome.status == 0, outcome.stderr
    assert "hush-hush" not in outcome.stderr + outcome.stdout
    written = [path for path in bench.data.rglob("*") if path.is_file() and path.name != "disk.img"]
    assert written
    assert all("hush-hush" not in path.read_text() for path in written)


def test_a_killed_run_is_finished_by_the_next(server: FaultServer, bench: Bench) -> None:
    url = server.add("/disk.img", Route(body=DATA, trickle=(64 * 1024, 0.01)))
    bench.write(a_volume("one", http(url)))
    first = start("run", "-f", bench.manifest, "--data", bench.data)
    server.wait_for_bytes(MiB)
    kill(first)
    assert not bench.disk("one").exists()
    server.add("/disk.img", Route(body=DATA))
    again = bench.run("--wait")
    assert again.status == 0, again.stderr
    assert bench.disk("one").read_bytes() == DATA + bytes(MiB)


def test_delete_removes_the_volume_and_names_what_is_near(bench: Bench) -> None:
    bench.write(a_volume("one", {"blank": {}}))
    assert bench.run().status == 0
    wrong = bench.cdi("delete", "dv", "onne")
    assert wrong.status == 2
    assert "there is no DataVolume default/onne; there are: default/one" in wrong.stderr
    assert bench.cdi("delete", "dv", "one").stdout == "datavolume default/one deleted\n"
    assert list(bench.data.iterdir()) == []
    assert bench.cdi("get", "dv").stdout == "No DataVolumes in namespace default.\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": {"blank": {}, "upload": {}}}, "Multiple Data volume sources"),
        ({"source": {"registry": {"url": "docker://x"}}}, "a registry source needs a cluster"),
        ({"source": http("htp://x")}, "Invalid source URL scheme"),
        ({"source": http("http://x", checksum="md5:1")}, "Invalid checksum format"),
        ({"storage": {}}, "Storage size is missing"),
        ({"storage": {"resources": {"requests": {"storage": "10GB"}}}}, "'10GB' is not a size"),
        ({"storage": None}, "Missing Data volume PVC"),
    ],
    ids=["two-sources", "cluster-only", "scheme", "checksum", "no-size", "bad-size", "no-claim"],
)
def test_what_is_wrong_in_a_manifest_is_named_before_anything_is_done(
    change: dict[str, object], said: str, bench: Bench
) -> None:
    volume = a_volume("one", {"blank": {}})
    volume["spec"] = {**volume["spec"], **change}  # type: ignore[dict-item]
    bench.write(volume)
    outcome = bench.run()
    assert outcome.status == 2
    assert said in outcome.stderr
    assert not bench.data.exists()


def test_a_manifest_for_a_cluster_with_a_class_of_its_own_runs_here(server: FaultServer, bench: Bench) -> None:
    claim = {
        "storageClassName": "my-storage-class",
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "20Gi"}},
    }
    volume = a_volume("rootdisk", http(server.add("/disk.img", Route(body=DATA))))
    volume["spec"] = {"pvc": claim, "source": http(server.url("/disk.img"))}
    bench.write(volume)
    outcome = bench.run()
    assert outcome.status == 0, outcome.stderr
    assert "there is no storage class my-storage-class on this machine: local-dir serves it" in outcome.stderr
    assert bench.disk("rootdisk").stat().st_size == 20 * 1024 * MiB


def test_what_is_wrong_is_told_once(server: FaultServer, bench: Bench) -> None:
    bench.write(a_volume("one", http(server.url("/missing"))))
    outcome = bench.run()
    assert outcome.status == 3
    assert outcome.stderr.count("expected status code 200, got 404") == 1
    assert "failed: SourceNotFound" in outcome.stderr
