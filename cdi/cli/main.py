"""The ``cdi`` command: argument parsing, exit codes, and the last line of defence for faults."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from cdi.base.faults import Exit, Fault

# verb -> module with ``register(subparsers)``; only the module of the verb typed is imported, since a run of a small
# import takes 0.2 s in all. None: every verb, for --help.
_VERBS = {
    "inspect": "cdi.cli.inspect",
    "import": "cdi.cli.import_",
    "run": "cdi.cli.run",
    "get": "cdi.cli.get",
    "describe": "cdi.cli.describe",
    "why": "cdi.cli.why",
    "watch": "cdi.cli.watch",
    "storage": "cdi.cli.storage",
    "delete": "cdi.cli.delete",
}

_EPILOG = """exit codes: 0 ok, 2 usage, 3 source (permanent), 4 source (may recover), 5 storage, 6 integrity,
7 rights or quota, 8 cancelled. Every code in an error message is explained in docs/errors.md."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {message}\nTry: {self.prog} --help", file=sys.stderr)
        raise SystemExit(Exit.USAGE)


def build_parser(verb: str | None) -> argparse.ArgumentParser:
    parser = _Parser(prog="cdi", description="Import disk images into volumes.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    for name, module in _VERBS.items():
        if verb not in _VERBS or name == verb:
            importlib.import_module(module).register(subparsers)
    return parser


def _version() -> str:
    from cdi import __version__

    return f"cdi {__version__}"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = next((word for word in arguments if not word.startswith("-")), None)
    args = build_parser(verb).parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = args.func
    try:
        return int(command(args))
    except Fault as fault:
        print(f"cdi: {fault.message}", file=sys.stderr)
        return int(fault.entry.exit)
    except KeyboardInterrupt:
        print("cdi: stopped.", file=sys.stderr)
        return int(Exit.CANCELLED)
    except BrokenPipeError:
        return int(Exit.OK)  # the reader of our output has seen enough (| head)


if __name__ == "__main__":
    sys.exit(main())
