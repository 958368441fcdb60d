"""The ``cdi`` command: argument parsing, exit codes, and the last line of defence for faults."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from cdi.base.faults import Exit, Fault
from cdi.cli.spoken import say

# verb -> module with ``register(subparsers)``; only the module of the verb typed is imported, since a run of a small
# import takes 0.2 s in all. None: every verb, for --help.
_VERBS = {
    "inspect": "cdi.cli.inspect",
    "import": "cdi.cli.import_",
    "clone": "cdi.cli.clone",
    "upload": "cdi.cli.upload",
    "run": "cdi.cli.run",
    "get": "cdi.cli.get",
    "describe": "cdi.cli.describe",
    "why": "cdi.cli.why",
    "watch": "cdi.cli.watch",
    "storage": "cdi.cli.storage",
    "delete": "cdi.cli.delete",
}

_OF_OUTPUT = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)  # what a full disk says of what we print

_EPILOG = """exit codes: 0 ok, 1 a defect of cdi, 2 usage, 3 source (permanent), 4 source (may recover), 5 storage,
6 integrity, 7 rights or quota, 8 cancelled. Every code in an error message is explained in docs/errors.md.
With -o json an error is also a line {"error": {"code", "message", "remedy", ...}} on standard output."""


class _Parser(argparse.ArgumentParser):
    complaint = ""  # the last one of any parser

    def error(self, message: str) -> None:  # type: ignore[override]
        _Parser.complaint = f"{self.prog}: {message}. Try: {self.prog} --help"
        self.print_usage(sys.stderr)
        say(f"{self.prog}: {message}\nTry: {self.prog} --help", file=sys.stderr)
        raise SystemExit(Exit.USAGE)


def build_parser(verb: str | None) -> argparse.ArgumentParser:
    return _built(verb)[0]


def _built(verb: str | None) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The whole, and those of the verbs."""
    parser = _Parser(prog="cdi", description="Import disk images into volumes.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    for name, module in _VERBS.items():
        if verb not in _VERBS or name == verb:
            importlib.import_module(module).register(subparsers)
    return parser, subparsers.choices


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Options may stand anywhere: the whole's parser would take ``get dv -n ns NAME`` for too many words."""
    verb = next((word for word in arguments if not word.startswith("-")), None)
    parser, verbs = _built(verb)
    if not arguments or arguments[0] not in verbs:
        return parser.parse_args(arguments)
    args = verbs[arguments[0]].parse_intermixed_args(arguments[1:])
    args.verb = arguments[0]
    return args


def _version() -> str:
    from cdi import __version__

    return f"cdi {__version__}"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = parsed(arguments)
    except SystemExit as ended:
        if ended.code == Exit.USAGE and _speaks_json(arguments):
            from cdi.cli import error_line

            error_line.say(error_line.of_text("UsageInvalid", _Parser.complaint, Exit.USAGE))
        raise
    _print_any_name()
    try:
        return _done(args)
    except Exception as error:  # noqa: BLE001  whatever it is: no traceback is what a user can act on
        if isinstance(error, OSError) and error.filename is None and error.errno in _OF_OUTPUT:
            say(f"cdi: the output cannot be written: {error.strerror}", file=sys.stderr)
            # Python would try once more at its end, and complain in its own way.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return int(Exit.STORAGE)
        from cdi.cli import defect_report

        return _told(defect_report.fault_of(error, args.verb), args)


def _print_any_name() -> None:
    """Names of files need not be text; standard error escapes what is none by itself."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _speaks_json(arguments: Sequence[str]) -> bool:
    asked = (("-o", "json"), ("--output", "json"))
    joined = {"--json", "-ojson", "--output=json"}
    return bool(joined & {*arguments}) or any(pair in asked for pair in itertools.pairwise(arguments))


def _done(args: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int] = args.func
    try:
        status = int(command(args))
        sys.stdout.flush()
        return status
    except Fault as fault:
        return _told(fault, args)
    except KeyboardInterrupt:
        say("cdi: stopped.", file=sys.stderr)
        return int(Exit.CANCELLED)
    except BrokenPipeError:
        return int(Exit.OK)  # the reader of our output has seen enough (| head)


def _told(fault: Fault, args: argparse.Namespace) -> int:
    say(f"cdi: {_message(fault, args)}", file=sys.stderr)
    _in_json(fault, args)
    return int(fault.entry.exit)


def _message(fault: Fault, args: argparse.Namespace) -> str:
    """Remedies are those of a worker, which is started again by itself. An import by hand is not."""
    by_hand = getattr(args, "is_by_hand", False) and not fault.permanent
    return fault.told("run the same command again: it goes on where it can.") if by_hand else fault.message


def _in_json(fault: Fault, args: argparse.Namespace) -> None:
    from cdi.cli import error_line

    if error_line.is_wanted(args):
        error_line.say(error_line.of_fault(fault))


if __name__ == "__main__":
    sys.exit(main())
