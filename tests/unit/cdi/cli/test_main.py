"""The command as a whole: exit codes, and where it says that it acts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.cli import get, main, names, place
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


@pytest.mark.parametrize("words", [["get", "vm"], ["describe", "dv"], ["delete", "dv"]])
def test_a_wrong_kind_and_a_missing_name_are_usage(words: list[str], tmp_path: Path) -> None:
    assert main.main([*words, "--data", str(tmp_path)]) == Exit.USAGE


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
