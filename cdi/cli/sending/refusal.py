"""What an upload server or its proxy answers when it does not take an upload."""

from __future__ import annotations

from cdi.base.faults import Fault
from cdi.cli.sending.peer import Answer


def refused(answer: Answer) -> Fault:
    """The server has said what is wrong and what to do: its words are told."""
    return Fault("UploadRefused", status=answer.status, said=answer.said.rstrip("."))
