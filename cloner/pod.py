"""Entry point of the clone source pod."""

from __future__ import annotations

import sys


def main() -> int:
    print(
        "cdi-cloner: host-assisted clones are not part of this version yet. "
        "On one machine, `cdi run` with a source of kind pvc clones a volume.",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
