from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from cdi.api.cdi import CDI
from cdi.apiserver.trust import Trust
from cdi.kube.client import Client
from cdi.kube.config import Access
from cdi.kube.store import Key, Store


def system(**spec: Any) -> CDI:
    return msgspec.convert({"metadata": {"name": "cdi"}, "spec": spec}, CDI)


def test_what_cannot_be_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    systems: Store[CDI] = Store()
    Trust(Client(Access("https://127.0.0.1:1")), "cdi", ["cdi-api"], systems)
    wrong = {"server": {"duration": "often", "renewBefore": "1m"}}
    with caplog.at_level(logging.WARNING):
        systems.put(Key("", "cdi"), system(certConfig=wrong), "1")
        systems.put(Key("", "cdi"), system(certConfig=wrong, uninstallStrategy="RemoveWorkloads"), "2")
    (line,) = caplog.messages
    assert line.startswith("certConfig.server: 'often' is not a duration")
