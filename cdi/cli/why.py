"""``cdi why NAME``: in what state a volume is, what it waits for, and what to do."""

from __future__ import annotations

import argparse
import datetime
from typing import TYPE_CHECKING

from cdi.base.faults import Exit
from cdi.cli import names, output_options, place, telling
from cdi.cli.clone_plan import plan_lines
from cdi.cli.spoken import say
from cdi.cli.table import age_s, joined, now

if TYPE_CHECKING:
    from cdi.cli.diagnosis import Answer
    from cdi.cli.story import Story
    from cdi.cli.view import View


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("why", help="explain the state of a DataVolume and say what to do")
    names.add(parser, optional=True)
    output_options.add(parser, "the answer and what it rests on")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    from cdi.cli.diagnosis import diagnose

    names.settle(args)
    with place.chosen(args) as here:
        view = here.volume(names.one(args, here.namespace))
        story = here.story(view)
    moment = now()
    answer = diagnose(view, story, age_s(view.volume.metadata.creation_timestamp or "", moment))
    say(as_json(view, story, answer) if args.output else as_text(view, story, answer, moment))
    return int(Exit.OK)


def as_text(view: View, story: Story, answer: Answer, moment: datetime.datetime) -> str:
    status = view.volume.status
    progress = f" ({status.progress})" if status.progress else ""
    lines = [f"{view.name} is {status.phase or 'new: it has no phase yet'}{progress}.", *answer.says]
    following = telling.next_attempt(view, moment)
    lines += [f"Next attempt {following}."] if following else []
    lines += [f"Try: {answer.remedy}"] if answer.remedy else []
    lines += plan_lines(status.clone)
    said = view.trouble.rpartition("ended so: ")[2]
    return joined([*lines, "", *telling.conditions(view, said), *telling.surroundings(story, moment, said)])


def as_json(view: View, story: Story, answer: Answer) -> str:
    import dataclasses
    import json

    import msgspec

    failure = view.volume.status.failure
    record = {
        "name": str(view.name),
        "phase": view.phase,
        "code": answer.code,
        "nextAttempt": failure.next_attempt if failure is not None else "",
        "says": list(answer.says),
        "remedy": answer.remedy,
        "clone": msgspec.to_builtins(view.volume.status.clone),
        "story": dataclasses.asdict(story),
    }
    return json.dumps(record, indent=2)
