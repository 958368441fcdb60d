"""``python tests/bench/run.py [CASE...] [-n ROUNDS]``: the benchmarks of docs/performance.md. Needs root.

CASE selects by the beginning of a case's name. Everything runs on loopback, in a scratch directory that is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from bench import goals, report  # noqa: E402  they are found by the line above
from bench.cases import CASES  # noqa: E402
from bench.images import allocated_bytes, cache_directory, images  # noqa: E402
from bench.rounds import Bench, Outcome  # noqa: E402
from bench.servers import Servers  # noqa: E402


def main() -> int:
    arguments = _arguments()
    chosen = [case for case in CASES if any(map(case.name.startswith, arguments.cases or [""]))]
    directory = images()
    allocated = {disk: allocated_bytes(directory / disk) for disk in {case.disk for case in chosen}}
    results: list[tuple[Outcome, int]] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.scratch) as scratch,
        Servers(directory, Path(scratch)) as servers,
    ):
        bench = Bench(servers, directory, Path(scratch))
        for case in chosen:
            results.append((bench.run(case, arguments.rounds or case.rounds), allocated[case.disk]))
            print(*report.lines(*results[-1]), sep="\n", flush=True)
    print(_machine(), report.table(results), goals.table(results), f"results: {_save(results)}", sep="\n\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(case.name for case in CASES))
    parser.add_argument("-n", dest="rounds", type=int, default=0, help="rounds of each case (default: each one's own)")
    parser.add_argument("--scratch", type=Path, default=cache_directory().parent, help="where targets are written")
    return parser.parse_args()


def _machine() -> str:
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{date}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, load {load}"
    )


def _save(results: list[tuple[Outcome, int]]) -> Path:
    path = cache_directory().parent / f"bench-results-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    path.write_text(json.dumps({"machine": _machine(), "cases": report.as_json(results)}, indent=1))
    return path


if __name__ == "__main__":
    sys.exit(main())
