from __future__ import annotations

import datetime
import logging
from typing import Any

import msgspec
import pytest

from cdi.api.cdi import CDI
from cdi.kube.store import Key, Store
from cdi.trust.configured import Configured
from cdi.trust.lifetimes import Lifetimes


def system(**spec: Any) -> CDI:
    return msgspec.convert({"metadata": {"name": "cdi"}, "spec": spec}, CDI)


def test_what_cannot_be_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    systems: Store[CDI] = Store()
    Configured(systems)
    wrong = {"server": {"duration": "often", "renewBefore": "1m"}}
    with caplog.at_level(logging.WARNING):
        systems.put(Key("", "cdi"), system(certConfig=wrong), "1")
        systems.put(Key("", "cdi"), system(certConfig=wrong, uninstallStrategy="RemoveWorkloads"), "2")
    (line,) = caplog.messages
    assert line.startswith("certConfig.server: 'often' is not a duration")


def test_other_lifetimes_are_told_of_and_nothing_else() -> None:
    systems: Store[CDI] = Store()
    found, told = Configured(systems), []
    found.subscribe(lambda: told.append(found.lifetimes.client.duration))
    shorter = {"client": {"duration": "6m", "renewBefore": "2m"}}
    systems.put(Key("", "cdi"), system(certConfig=shorter), "1")
    systems.put(Key("", "cdi"), system(certConfig=shorter, uninstallStrategy="RemoveWorkloads"), "2")
    assert told == [datetime.timedelta(minutes=6)]
    systems.drop(Key("", "cdi"))
    assert found.lifetimes == Lifetimes()
