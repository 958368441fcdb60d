"""``cdi run -f MANIFEST``: make the volumes of a manifest on this machine, with progress."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cdi.base.faults import Exit, Fault
from cdi.base.printable import one_line
from cdi.base.units import human_size
from cdi.cli import error_line, local_options, output_options
from cdi.cli.spoken import say

if TYPE_CHECKING:
    from cdi.local.loop import Task


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "run",
        help="make the DataVolumes of a manifest on this machine",
        description="Populate DIR/NAMESPACE/NAME/disk.img for every DataVolume in the files (also those in a "
        "VirtualMachine's dataVolumeTemplates). Stop it at any moment and run it again: it goes on.",
    )
    parser.add_argument("-f", "--file", metavar="FILE", action="append", required=True, help="manifest; - is stdin")
    parser.add_argument("--wait", action="store_true", help="try transient failures again until they pass")
    parser.add_argument("--jobs", metavar="N", type=int, default=2, help="volumes made at the same time (default 2)")
    output_options.add_lines(parser, "print each change as a JSON line")
    local_options.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    from cdi.local.loop import Run
    from cdi.local.manifests import read

    store = local_options.store(args)
    manifests = read({name: _text(name) for name in args.file}, args.namespace)
    for note in manifests.notes:
        say(one_line(f"note: {note}"), file=sys.stderr)
    screen = _JsonScreen() if args.json else _Terminal() if sys.stderr.isatty() else _Lines()
    work = Run(store, manifests, wait=args.wait, jobs=max(1, args.jobs), show=screen.show)
    with _terminable():
        status = work.run()
    for task in work.tasks:
        _report(task, store.disk(task.volume), as_json=bool(args.json))
    return int(status)


def _text(name: str) -> str:
    from cdi.local.documents import LONGEST

    try:
        with sys.stdin if name == "-" else Path(name).open() as file:
            text = file.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise Fault("FileUnreadable", source=name, cause=getattr(error, "strerror", None) or error) from error
    if len(text) > LONGEST:
        cause = f"it is longer than {human_size(LONGEST)}, and so no manifest"
        raise Fault("FileUnreadable", source=name, cause=cause)
    return text


class _terminable:  # noqa: N801  a context manager, used as a statement
    """SIGTERM ends like Ctrl-C: workers are stopped and keep what they wrote."""

    def __enter__(self) -> None:
        import signal

        def stop(_signum: int, _frame: object) -> None:
            raise KeyboardInterrupt

        self._before = signal.signal(signal.SIGTERM, stop)

    def __exit__(self, *_: object) -> None:
        import signal

        signal.signal(signal.SIGTERM, self._before)


def _report(task: Task, disk: Path, *, as_json: bool) -> None:
    namespace, name = task.key
    if task.exit is Exit.OK:
        said = f"{namespace}/{name}: {task.note + ': ' if task.note else ''}{disk}"
        say(said, file=sys.stderr if as_json else sys.stdout)
        return
    say(one_line(f"{namespace}/{name}: {task.message}"), file=sys.stderr)
    if as_json:
        failure = task.volume.status.failure
        code = failure.code if failure is not None else ""
        error_line.say(error_line.of_text(code, task.message, task.exit, namespace=namespace, name=name))


def view(task: Task, width: int | None = None) -> str:
    """One line for people on ``task``: name, then stage, bar, bytes, rate and ETA, or why nothing moves. ``width``: of
    the terminal; None where lines may have any."""
    from importer.progress import Snapshot, Stage, line

    name = f"{task.volume.metadata.name:<20} "
    record = task.record.progress
    phase = task.volume.status.phase
    if task.worker is None or not record.stage:
        return one_line(name + (task.note or _failed(task) or phase))[:width]
    snapshot = Snapshot(
        stage=Stage(record.stage),
        bytes_done=record.bytes_done,
        bytes_total=record.bytes_total,
        percent=record.percent,
        rate_bps=record.rate_bps,
        eta_s=record.eta_seconds,
        elapsed_s=0.0,
    )
    return (name + line(snapshot))[:width]


def _failed(task: Task) -> str:
    """In a word: the whole message comes at the end."""
    failure = task.volume.status.failure
    return f"failed: {failure.code}" if task.state.value == "failed" and failure is not None else ""


class _Terminal:
    """One live line per volume, redrawn in place."""

    def __init__(self) -> None:
        self._lines = 0

    def show(self, tasks: list[Task]) -> None:
        width = shutil.get_terminal_size().columns - 1
        back = f"\x1b[{self._lines}A" if self._lines else ""
        text = "".join(f"\r\x1b[K{view(task, width)}\n" for task in tasks)
        sys.stderr.write(back + text)
        sys.stderr.flush()
        self._lines = len(tasks)


class _Lines:
    """One line per change of stage or phase, and one every 30 s while something moves."""

    def show(self, tasks: list[Task]) -> None:
        import time

        for task in tasks:
            stage = task.record.progress.stage if task.worker is not None else ""
            said = task.note or _failed(task)
            mark = (task.volume.status.phase, stage, said, int(time.monotonic() / 30) if stage else 0)
            if mark != task.shown:
                task.shown = mark
                say(view(task), file=sys.stderr, flush=True)


class _JsonScreen:
    def show(self, tasks: list[Task]) -> None:
        for task in tasks:
            mark = (task.volume.status.phase, task.note, task.record.progress)
            if mark != task.shown:
                task.shown = mark
                namespace, name = task.key
                record = {"namespace": namespace, "name": name, "phase": mark[0], **task.record.progress.members()}
                say(json.dumps(record), flush=True)
