"""The command as a whole: exit codes, and where it says that it acts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.cli import error_line, get, main, names, place
from cdi.cli.names import Name


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster and no data directory of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "CDI_DATA", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """The kubeconfig of a cluster that does not answer: port 1 of this machine."""
    cluster = {"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "a", "context": {"cluster": "a", "user": "", "namespace": "mine"}}
    config = {"current-context": "a", "clusters": [cluster], "contexts": [context], "users": []}
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("words", [["get", "dv"], ["watch"], ["storage"], ["why", "a"], ["delete", "dv", "a"]])
def test_without_a_cluster_it_is_the_usage_that_is_wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(words) == Exit.USAGE
    assert "[ClusterNotNamed]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["get", "dv"],
        ["describe", "dv/a"],
        ["why", "a"],
        ["why", "dv", "a"],
        ["why", "dv/a"],
        ["watch"],
        ["watch", "dv/a"],
        ["storage"],
        ["delete", "dv/a"],
        ["import", "http://127.0.0.1:1/disk", "dv/a", "--size", "1Gi"],
    ],
    ids=" ".join,
)
def test_a_cluster_that_does_not_answer_is_an_error_and_nothing_here_stands_in(
    words: list[str], closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cdi-data").mkdir()
    assert main.main([*words, "--kubeconfig", str(closed)]) == Exit.TRANSIENT
    first, second = capsys.readouterr().err.splitlines()
    assert first == "cluster: http://127.0.0.1:1, namespace mine"
    assert "[ClusterUnreachable]" in second


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        (["get", "dv", "-n", "other"], "namespace other"),
        (["get", "dv", "-A"], "all namespaces"),
        (["watch", "-A"], "all namespaces"),
        (["describe", "dv/there/a"], "namespace there"),
        (["why", "there/a"], "namespace there"),
        (["why", "dv", "there/a"], "namespace there"),
        (["delete", "dv", "there/a", "there/b"], "namespace there"),
        (["delete", "dv", "there/a", "b"], "namespace mine"),
        (["import", "http://127.0.0.1:1/disk", "dv/there/a"], "namespace there"),
    ],
)
def test_the_first_line_names_the_namespace_that_is_acted_on(
    words: list[str], scope: str, closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main([*words, "--kubeconfig", str(closed)])
    assert capsys.readouterr().err.splitlines()[0] == f"cluster: http://127.0.0.1:1, {scope}"


@pytest.mark.parametrize("words", [["get", "vm"], ["describe", "dv"], ["delete", "dv"], ["why", "dv"]])
def test_a_wrong_kind_and_a_missing_name_are_usage(words: list[str], tmp_path: Path) -> None:
    assert main.main([*words, "--data", str(tmp_path)]) == Exit.USAGE


@pytest.mark.parametrize("words", ["get dv -n there a", "describe dv -n there a", "why -n there a", "watch -n there a"])
def test_options_may_stand_before_a_name(words: str, closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([*words.split(), "--kubeconfig", str(closed)]) == Exit.TRANSIENT
    assert capsys.readouterr().err.splitlines()[0] == "cluster: http://127.0.0.1:1, namespace there"


def test_two_namespaces_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["get", "dv/a/b", "-n", "c"], ["import", "http://127.0.0.1:1/x", "dv/a/b", "-n", "c"]):
        assert main.main(words) == Exit.USAGE
        assert "[NamespacesDiffer]" in capsys.readouterr().err


def test_what_is_there_is_deleted_also_beside_what_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        place = tmp_path / "default" / name
        place.mkdir(parents=True)
        volume = {"metadata": {"name": name, "namespace": "default"}, "spec": {"source": {"blank": {}}, "storage": {}}}
        (place / "status.json").write_text(json.dumps({"volume": volume}))
    words = ["delete", "dv", "a", "nope", "b", "--data", str(tmp_path)]
    assert main.main(words) == Exit.USAGE
    said, complaint = capsys.readouterr()
    assert said == "datavolume default/a deleted\ndatavolume default/b deleted\n"
    assert "[ObjectNotFound] there is no DataVolume default/nope" in complaint


def test_a_full_disk_costs_no_traceback() -> None:
    command = [sys.executable, "-m", "cdi.cli.main", "--version"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert "Traceback" not in done.stderr
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "cdi.cli.main", "get", "dv", "--data", "/nothing"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        Exit.STORAGE,
        "cdi: the output cannot be written: No space left on device",
    )


def test_a_usage_that_is_wrong_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["get", "dv", "--nonsense", "-o", "json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["exit"]) == ("UsageInvalid", Exit.USAGE)
    assert "--nonsense" in error["message"]


def test_an_unknown_option_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["get", "dv", "--nonsense"])
    assert ended.value.code == Exit.USAGE
    assert "--help" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("code", ["SourceNotFound", "SourceUnavailable", "ChecksumMismatch", "ClusterRefused"])
def test_a_fault_ends_with_its_exit_code(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = dict.fromkeys(CATALOGUE[code].fields(), "x")

    def failing(_args: object) -> int:
        raise Fault(code, **values)

    monkeypatch.setattr(get, "run", failing)
    assert main.main(["get", "dv"]) == CATALOGUE[code].exit
    assert f"cdi: [{code}]" in capsys.readouterr().err


# What makes each verb fail: outside of a cluster, with nothing there.
FAILING = [
    "inspect ./nothing --json",
    "import ./nothing ./disk.img --json",
    "import ./nothing neither -o json",
    "run -f ./nothing --json",
    "run -f ./nothing -o json",
    "get dv -o json",
    "get vm --data . -o json",
    "describe dv/a -o json",
    "describe dv --data . -o json",
    "why a -o json",
    "watch dv/a --json",
    "storage -o json",
    "delete dv/a -o json",
]


@pytest.mark.parametrize("words", FAILING)
def test_a_failure_is_one_line_of_json_where_json_is_asked_for(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main.main(words.split())
    said, text = capsys.readouterr()
    error = json.loads(said.splitlines()[-1])["error"]
    entry = CATALOGUE[error["code"]]
    assert sorted(error) == ["code", "exit", "means", "message", "permanent", "remedy"]
    assert (error["exit"], error["exit"], error["permanent"]) == (status, entry.exit, entry.permanent)
    assert f"cdi: {error['message']}" in text
    assert error["message"].endswith(f" {error['means']} Try: {error['remedy']}")


@pytest.mark.parametrize("words", ["get dv", "get dv -o yaml", "get dv -o wide", "inspect ./nothing", "storage"])
def test_a_failure_is_text_alone_without(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(words.split()) != Exit.OK
    assert capsys.readouterr().out == ""


def test_what_only_the_text_is_left_of_is_told_in_the_same_members() -> None:
    text = "Unable to process data: [NoSpace] it is full. Try: make room."
    line = json.loads(error_line.of_text("NoSpace", text, Exit.TRANSIENT, name="a"))
    assert (line["name"], sorted(line["error"])) == ("a", ["code", "exit", "means", "message", "permanent", "remedy"])
    assert (line["error"]["remedy"], line["error"]["exit"]) == ("make room.", Exit.STORAGE)
    unknown = json.loads(error_line.of_text("", "it broke", Exit.TRANSIENT))["error"]
    assert (unknown["exit"], unknown["permanent"], unknown["remedy"]) == (Exit.TRANSIENT, False, "")


@pytest.mark.parametrize(("raised", "status"), [(KeyboardInterrupt, Exit.CANCELLED), (BrokenPipeError, Exit.OK)])
def test_an_interrupt_and_a_reader_that_left(
    raised: type[BaseException], status: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_args: object) -> int:
        raise raised

    monkeypatch.setattr(get, "run", failing)
    assert main.main(["get", "dv"]) == status


VERBS = ["inspect a", "import a ./b", "run -f a", "get dv", "describe dv", "why a", "watch dv", "storage", "delete dv"]


@pytest.mark.parametrize("words", VERBS)
def test_every_verb_takes_o_json(words: str) -> None:
    verb = words.split(maxsplit=1)[0]
    args = main.build_parser(verb).parse_args([*words.split(), "-o", "json"])
    assert "json" in (getattr(args, "output", None), getattr(args, "json", None))


@pytest.mark.parametrize("text", ["dv/ns/a", "ns/a", "datavolume/ns/a"])
def test_every_spelling_names_the_same(text: str) -> None:
    assert names.parse(text, "default") == Name("ns", "a")
    assert names.stated([text]) == "ns"
    assert names.stated([text, "b"]) is None
    assert names.stated([]) is None


def test_the_options_of_a_place_are_spelled_for_the_next_command() -> None:
    args = main.build_parser("get").parse_args(["get", "dv", "--context", "a b", "-n", "ns"])
    assert place.spelled(args) == " --context 'a b'"


def test_what_nobody_foresaw_is_a_fault_of_cdi_with_its_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(args: object) -> int:
        raise KeyError("token=hidden")

    monkeypatch.setattr(get, "run", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main.main(["get", "dv", "-o", "json"]) == Exit.DEFECT
    said = capsys.readouterr()
    (report,) = tmp_path.glob("cdi-defect-*.txt")
    assert "[CommandDefect] cdi ran into a defect of its own: KeyError in cli/test_main.py, line" in said.err
    assert f"its traceback is in {report}" in said.err
    assert "hidden" not in said.err + said.out
    assert "KeyError: 'token=hidden'" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
    assert json.loads(said.out)["error"]["code"] == "CommandDefect"


def test_a_defect_is_told_also_where_no_file_can_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(args: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(get, "run", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert main.main(["get", "dv"]) == Exit.DEFECT
    assert "its traceback could be written nowhere (No such file or directory)" in capsys.readouterr().err
