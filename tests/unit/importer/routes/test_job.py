"""An attempt and the threads that it started."""

from __future__ import annotations

from typing import cast

import pytest
from support.memorysource import MemorySource

from importer.cancel import Cancel
from importer.fetch.crew import Crew
from importer.fetch.governor import Limits
from importer.fetch.retry import RetryPolicy
from importer.plan import Plan
from importer.progress import Progress
from importer.routes.job import Feed


@pytest.mark.parametrize("fails", [False, True])
def test_no_thread_outlives_its_attempt(fails: bool) -> None:
    cancel, plan = Cancel(), cast(Plan, None)
    feed = Feed(plan, MemorySource(b""), Progress(), cancel, 0, RetryPolicy(), Limits(), None)
    order: list[str] = []
    crew = Crew()
    feed.crews.append(crew)

    def fetch() -> None:
        with pytest.raises(Exception, match="stopped on request"):
            cancel.sleep(3600)
        order.append("the thread has ended")

    crew.start("fetch", fetch)
    try:
        with feed.alone_afterwards():
            if fails:
                raise OSError
    except OSError:
        assert fails
    order.append("the attempt has ended")
    assert order == ["the thread has ended", "the attempt has ended"]
