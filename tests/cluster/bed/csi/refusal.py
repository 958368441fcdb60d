"""How the driver says no: an exception with a gRPC status, turned into an answer at the edge."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from typing import Any

import grpc


class Refused(Exception):
    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def invalid(reason: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, reason)


def unknown(what: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"there is no such {what}")


def answered(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any, grpc.ServicerContext], Any]:
    """A method of one request as gRPC calls it: with the status of ``Refused``, INTERNAL for everything else."""

    @functools.wraps(method)
    def call(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request)
        except Refused as refused:
            context.abort(refused.code, str(refused))
        except Exception as error:  # noqa: BLE001 - the boundary to the sidecars, which try again
            traceback.print_exc(file=sys.stderr)
            context.abort(grpc.StatusCode.INTERNAL, str(error))

    return call
