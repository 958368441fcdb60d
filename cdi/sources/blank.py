"""An empty disk."""

from __future__ import annotations

from typing import Any

from cdi.sources.kind import SourceKind
from cdi.sources.needs import of_no_bytes
from cdi.sources.parameters import Parameters


def _parameters(source: dict[str, Any]) -> Parameters:  # noqa: ARG001  there is nothing in it
    return Parameters("none")


SOURCE = SourceKind(dict, _parameters, of_no_bytes)
