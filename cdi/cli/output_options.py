"""``-o json`` as every verb takes it."""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser, what: str) -> None:
    """``args.output``: ``json`` or None. ``what``: is printed as JSON, for --help."""
    parser.add_argument("-o", "--output", choices=("json",), help=f"{what} as JSON")


def add_lines(parser: argparse.ArgumentParser, what: str) -> None:
    """``args.json``: true when JSON lines are wanted; ``--json`` and ``-o json`` are the same."""
    parser.add_argument("--json", action="store_true", help=f"{what}; the same as -o json")
    parser.add_argument("-o", "--output", dest="json", choices=("json",), help=argparse.SUPPRESS)
