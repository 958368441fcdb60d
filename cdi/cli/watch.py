"""``cdi watch [dv NAME]``: follow one DataVolume until it is over, with a progress bar, or all of them in a table."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from itertools import chain
from typing import NoReturn, TextIO

from cdi.api.phase import Phase
from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.base.printable import one_line
from cdi.cli import error_line, names, output_options, overview, place
from cdi.cli.screen import Frame, moving, screen
from cdi.cli.spoken import say
from cdi.cli.view import UNSEEN_S, View

# All volumes are asked for that often, and never so often that a place with many of them answers nobody else.
_EVERY_S = 2.0
_REST = 10


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "watch",
        help="follow one DataVolume until it is done or needs you, or all of them",
        description="Follow one DataVolume until it is done or needs you; without NAME all of them, until Ctrl-C.",
    )
    names.add(parser, optional=True)
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="without NAME: of all namespaces")
    output_options.add_lines(parser, "each change as a JSON line")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    names.settle(args)
    with place.chosen(args) as here:
        named = names.chosen(args, here.namespace)
        if named:
            return attached(here, named[0], args, sys.stdout)
        return _all(here, args)


def _all(here: place.Place, args: argparse.Namespace) -> NoReturn:
    """Until Ctrl-C, or until the place does not answer."""
    show: overview.Table | overview.Changes
    if args.json or not sys.stdout.isatty():
        show = overview.Changes(_frame, as_json=bool(args.json), namespaces=args.all_namespaces)
    else:
        show = overview.Table(namespaces=args.all_namespaces)
    if not args.json and not here.volumes(None if args.all_namespaces else here.namespace):
        say("No DataVolumes yet: those to come are shown. Ctrl-C ends it.", file=sys.stderr)
    while True:
        asked = time.monotonic()
        show.show(here.volumes(None if args.all_namespaces else here.namespace))
        time.sleep(max(_EVERY_S, _REST * (time.monotonic() - asked)))


def attached(here: place.Place, name: names.Name, args: argparse.Namespace, out: TextIO) -> int:
    """Shows the volume until it is over; the exit code. Ctrl-C only ends the showing, and says so, as does a place that
    does not answer any more.

    ``args``: --json and the options of ``place.add`` for what it says. ``out``: for progress, where it is no JSON.
    """
    begun = False
    try:
        changes = here.follow(name)
        first = next(changes)
        begun = True
        return followed(chain((first,), changes), as_json=bool(args.json), out=out)
    except KeyboardInterrupt:
        say(detached(name, here.goes_on, place.spelled(args)), file=sys.stderr)
        return int(Exit.CANCELLED)
    except Fault as fault:
        if begun and not fault.permanent:
            say(detached(name, here.goes_on, place.spelled(args)), file=sys.stderr)
        raise


def detached(name: names.Name, goes_on: str, options: str) -> str:
    verbs = {"watch": "attaches again", "delete": "stops it and removes its disk"}
    commands = {f"cdi {verb} dv/{name}{options}": what for verb, what in verbs.items()}
    width = max(map(len, commands))
    lines = (f"  {command:<{width}}   {what}" for command, what in commands.items())
    return "\n".join((f"cdi: detached; {goes_on}.", *lines))


def _never(_view: View) -> bool:
    return False


def followed(changes: Iterable[View], *, as_json: bool, out: TextIO, reached: Callable[[View], bool] = _never) -> int:
    """Shows the volume until it is over, or has ``reached`` what is waited for. The exit code is that of its fault,
    where it has one, which is said last."""
    show, started = screen(as_json=as_json, out=out), time.monotonic()
    frame, view = Frame("", "", 0.0, ""), None
    try:
        for view in changes:
            if view.is_over and view.phase != Phase.SUCCEEDED and not as_json:
                break
            frame = _frame(view, time.monotonic() - started)
            show.show(frame)
            if view.is_over or reached(view):
                break
    except BaseException:
        show.finish(frame, False)
        raise
    is_good = view is not None and (view.phase == Phase.SUCCEEDED or reached(view))
    show.finish(frame, is_good)
    if view is None or is_good:
        return int(Exit.OK)
    failure, text = view.volume.status.failure, view.trouble or str(view.phase)
    code = failure.code if failure is not None else ""
    say(one_line(f"{view.name}: {text}"), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        error_line.say(error_line.of_text(code, text, Exit.TRANSIENT, name=str(view.name)))
    entry = CATALOGUE.get(code)
    return int(entry.exit if entry is not None else Exit.TRANSIENT)


def _frame(view: View, elapsed_s: float) -> Frame:
    status = view.volume.status
    text = moving(view.transfer, status.progress) if view.is_moving and view.transfer else _said(view, elapsed_s)
    record = {"name": str(view.name), "phase": status.phase, "progress": status.progress, **dict(view.transfer)}
    stage = f"{status.phase} {view.transfer.get('stage', '')} {status.failure.code if status.failure else ''}"
    return Frame(stage, f"{view.name.name}: {text}", elapsed_s, json.dumps(record))


def _said(view: View, elapsed_s: float) -> str:
    if view.phase == Phase.SUCCEEDED:
        return str(view.phase)
    if view.is_unseen and elapsed_s > UNSEEN_S:
        return f"new: no controller has looked at it for {elapsed_s:.0f} s. Try: kubectl get pods -n cdi"
    bound = view.condition("Bound")
    why = view.trouble or (bound.message if bound.status == "False" and not view.is_moving else "")
    return f"{view.phase or 'new'}{': ' + why if why else ''}"
