"""``cdi describe dv NAME``: one volume in full, for people."""

from __future__ import annotations

import argparse
import datetime
from typing import TYPE_CHECKING

from cdi.base.faults import Exit
from cdi.cli import names, output_options, place, telling
from cdi.cli.clone_plan import plan_lines
from cdi.cli.spoken import say
from cdi.cli.table import indented, joined, now, pairs

if TYPE_CHECKING:
    from cdi.cli.story import Story
    from cdi.cli.view import View

_NEVER_FOLDED = 1 << 30  # characters of a line: what is copied from here is copied whole


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("describe", help="show one DataVolume in full")
    names.add(parser)
    output_options.add(parser, "the object and what surrounds it")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    names.settle(args)
    with place.chosen(args) as here:
        view = here.volume(names.one(args, here.namespace))
        story = here.story(view)
    say(as_json(view, story) if args.output else description(view, story, now()))
    return int(Exit.OK)


def as_json(view: View, story: Story) -> str:
    import dataclasses
    import json

    return json.dumps({"object": view.document, "story": dataclasses.asdict(story)}, indent=2)


def description(view: View, story: Story, moment: datetime.datetime) -> str:
    import yaml

    metadata, status = view.volume.metadata, view.volume.status
    rows = [
        ("Name", metadata.name),
        ("Namespace", metadata.namespace),
        ("Created", metadata.creation_timestamp or ""),
        ("Phase", status.phase or "none yet"),
        ("Progress", status.progress),
        ("Restarts", str(status.restart_count)),
        ("Next attempt", telling.next_attempt(view, moment)),
        ("Disk", story.disk),
        ("Source", story.origin),
        ("Labels", ", ".join(f"{key}={value}" for key, value in metadata.labels.items())),
    ]
    spec = yaml.safe_dump(view.document.get("spec", {}), sort_keys=False, default_flow_style=False, width=_NEVER_FOLDED)
    annotations = [f"  {key}: {value}" for key, value in metadata.annotations.items()]
    parts = [pairs(rows), *([joined(["Annotations:", *annotations])] if annotations else []), "Spec:", indented(spec)]
    around = [*plan_lines(status.clone), *telling.conditions(view), *telling.surroundings(story, moment)]
    return "\n".join([*parts, joined(around)])
