"""Entry point of the upload server pod."""

from __future__ import annotations

import sys


def main() -> int:
    print(
        "cdi-uploadserver: uploads are not part of this version yet. "
        "`cdi import FILE TARGET` writes a local image to a file or device.",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
