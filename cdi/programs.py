"""The programs of the container image.

A process 1 stops only on signals that it handles. So that comes first, before imports that take half a second: a pod
that is deleted as it starts would else stay for the whole of its grace period. Each program handles them in its own
way later on.
"""

from __future__ import annotations

import importlib
import os
import signal


def apiserver() -> int:
    return _run("cdi.apiserver.process")


def controller() -> int:
    return _run("cdi.controllers.process")


def importer() -> int:
    return _run("importer.pod")


def uploadproxy() -> int:
    return _run("uploadproxy.proxy.process")


def uploadserver() -> int:
    return _run("uploadproxy.server.pod")


def _run(module: str) -> int:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    return int(importlib.import_module(module).main())
