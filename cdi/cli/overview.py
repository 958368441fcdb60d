"""Many volumes while a person or a script watches: a table that is drawn anew, else a line per change."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TextIO

from cdi.cli.get import listing
from cdi.cli.names import Name
from cdi.cli.screen import Frame, Screen, screen
from cdi.cli.table import now
from cdi.cli.view import View


@dataclass
class Table:
    """On a terminal, in place: as many volumes as fit, those that are not over first."""

    namespaces: bool
    out: TextIO = field(default_factory=lambda: sys.stdout)
    _drawn: int = 0

    def show(self, views: Sequence[View]) -> None:
        import shutil

        columns, height = shutil.get_terminal_size()
        lines = [line[: columns - 1] for line in rows(views, height - 1, namespaces=self.namespaces)]
        back = f"\x1b[{self._drawn}A" if self._drawn else ""
        self.out.write(f"{back}\r\x1b[J" + "".join(f"{line}\n" for line in lines))
        self.out.flush()
        self._drawn = len(lines)


def rows(views: Sequence[View], height: int, *, namespaces: bool) -> list[str]:
    """At most ``height`` lines (3 at least): the table, and how many volumes it has no room for."""
    if not views:
        return ["No DataVolumes."]
    ordered = sorted(views, key=lambda view: (view.is_over, view.name.namespace, view.name.name))
    lines = listing(ordered, now(), namespaces=namespaces).splitlines()
    room = max(3, height)
    return lines if len(lines) <= room else [*lines[: room - 1], f"and {len(lines) - room + 1} more"]


@dataclass
class Changes:
    """Elsewhere: each volume on a screen of its own. ``frame``: of a volume, after so many seconds."""

    frame: Callable[[View, float], Frame]
    as_json: bool
    namespaces: bool
    started: float = field(default_factory=time.monotonic)
    _screens: dict[Name, Screen] = field(default_factory=dict)

    def show(self, views: Sequence[View]) -> None:
        elapsed_s = time.monotonic() - self.started
        for view in views:
            shown = self._screens.setdefault(view.name, screen(as_json=self.as_json, out=sys.stdout))
            # A volume that is over gives no more signs of life.
            frame = self.frame(view, 0.0 if view.is_over else elapsed_s)
            text = f"{view.name.namespace}/{frame.text}" if self.namespaces else frame.text
            shown.show(replace(frame, text=text))
        for name in self._screens.keys() - {view.name for view in views}:
            gone = Frame("deleted", f"{name}: deleted", elapsed_s, json.dumps({"name": str(name), "deleted": True}))
            self._screens.pop(name).show(gone)
