"""Runs a program, and writes what of its memory was resident at most, in KiB, into a file when it has ended.

python -I -S peak.py FILE PROGRAM [ARGUMENT...]

A process of its own, and a small one: a program's peak is never less than that of the process that it was forked from.
"""

import os
import signal
import sys


def main() -> int:
    file, *command = sys.argv[1:]
    child = os.posix_spawnp(command[0], command, os.environ)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status, usage = os.wait4(child, 0)
    with open(file, "w") as peak:
        peak.write(str(usage.ru_maxrss))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
