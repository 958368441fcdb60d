"""The importer pod's worker, which makes durable and tells what it has written many times a second, not every ten
seconds: ``python -m tests.support.eagerworker``. A test of what a new pod is handed needs no transfer of a minute then.
"""

from __future__ import annotations

import sys

from cdi.base.units import KiB
from importer import pod
from importer.fetch.journal import Checkpointer

if __name__ == "__main__":
    Checkpointer.__init__.__defaults__ = (256 * KiB, 0.05)
    pod._PROGRESS_INTERVAL_S = 0.05
    sys.exit(pod.main())
