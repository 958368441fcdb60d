from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec
import pytest

from cdi.api.cdiconfig import CDIConfig
from cdi.base.verbosity import level_of
from cdi.serving.configured import adopt_verbosity


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    found = logging.getLogger()
    before = found.level
    yield found
    found.setLevel(before)


def config(**spec: object) -> CDIConfig:
    return msgspec.convert({"spec": spec}, CDIConfig)


def test_from_three_on_every_step_is_told() -> None:
    assert [level_of(number) for number in (0, 1, 2, 3, 9)] == [logging.INFO] * 3 + [logging.DEBUG] * 2


def test_the_configuration_counts_at_once_and_without_it_what_we_were_started_with(root: logging.Logger) -> None:
    adopt_verbosity(1, None, config(logVerbosity=5))
    assert root.level == logging.DEBUG
    adopt_verbosity(3, None, config(logVerbosity=0))
    assert root.level == logging.INFO
    adopt_verbosity(3, None, config())
    assert root.level == logging.DEBUG
    adopt_verbosity(1, config(logVerbosity=5), None)
    assert root.level == logging.INFO
