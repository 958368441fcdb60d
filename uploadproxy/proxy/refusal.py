"""What a client is told instead of being passed on: a status of the contract, and a sentence."""

from __future__ import annotations

from html import escape

from aiohttp import web

from cdi.base.faults import Fault

UNAVAILABLE = 503


class Refusal(Exception):
    def __init__(self, status: int, fault: Fault) -> None:
        super().__init__(fault.message)
        self.status = status
        self.fault = fault

    def answer(self) -> web.Response:
        return told(self.status, self.fault.message)


def told(status: int, text: str) -> web.Response:
    """``text`` ends with a line end. What is said with 503 is escaped as for HTML: the contract."""
    shown = escape(text) if status == UNAVAILABLE else text
    return web.Response(status=status, text=f"{shown}\n", headers={"X-Content-Type-Options": "nosniff"})
