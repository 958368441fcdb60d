"""Entry point of the upload proxy."""

from __future__ import annotations

import sys


def main() -> int:
    print(
        "cdi-uploadproxy: uploads are not part of this version yet. "
        "Serve the image over HTTP and import it: `cdi import URL TARGET`.",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
