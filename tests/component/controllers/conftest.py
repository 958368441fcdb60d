from __future__ import annotations

from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.controller import install, kubeconfig
from support.webhooks import Kubectl


@pytest.fixture(scope="module")
def kubectl(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """All is installed but the webhooks."""
    made = Kubectl(api, tmp_path_factory.mktemp("kubectl"))
    install(made)
    return made


@pytest.fixture
def access(api: ApiServer, kubectl: Kubectl) -> Path:
    """With the rights of the controller's service account."""
    return kubeconfig(api, kubectl)
