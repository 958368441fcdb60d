"""What the controllers are told by their environment. Names of variables are the contract's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """``namespace``: where the system is installed. ``labels``: the recommended set for objects that we make.
    ``token_key``: PEM, verifies upload tokens; read from the cluster when the process starts."""

    importer_image: str = ""
    cloner_image: str = ""
    uploadserver_image: str = ""
    pull_policy: str = "IfNotPresent"
    namespace: str = "cdi"
    verbosity: str = "1"
    labels: Mapping[str, str] = field(default_factory=dict)
    token_key: str = ""


_INSTALLER = {  # variable of the deployment -> label
    "INSTALLER_PART_OF_LABEL": "app.kubernetes.io/part-of",
    "INSTALLER_VERSION_LABEL": "app.kubernetes.io/version",
}


def read_settings(environ: Mapping[str, str]) -> Settings:
    labels = {label: environ[name] for name, label in _INSTALLER.items() if environ.get(name)}
    return Settings(
        importer_image=environ.get("IMPORTER_IMAGE", ""),
        cloner_image=environ.get("CLONER_IMAGE", ""),
        uploadserver_image=environ.get("UPLOADSERVER_IMAGE", ""),
        pull_policy=environ.get("PULL_POLICY", "") or "IfNotPresent",
        namespace=environ.get("POD_NAMESPACE", "") or "cdi",
        verbosity=environ.get("VERBOSITY", "") or "1",
        labels={
            "app.kubernetes.io/managed-by": "cdi-controller",
            "app.kubernetes.io/component": "storage",
            **labels,
        },
    )
