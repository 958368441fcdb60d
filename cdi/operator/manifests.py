"""Everything that is installed: ``python -m cdi.operator.manifests`` prints ``deploy/cdi.yaml``."""

from __future__ import annotations

from cdi.api.crd import Manifest, as_yaml, definitions
from cdi.operator.apiservice import apiservice
from cdi.operator.deployments import deployments, services
from cdi.operator.installation import Installation, labels
from cdi.operator.rbac import rbac
from cdi.operator.webhooks import webhooks


def manifests(installation: Installation) -> list[Manifest]:
    """In the order in which they are applied: what others need comes first, what acts comes last.

    The CDI object is not among them: one ``kubectl apply`` cannot make an object of a kind that it has just brought.
    The controller makes it when it starts and there is none.
    """
    return [
        _namespace(installation),
        *definitions(),
        *rbac(installation),
        *services(installation),
        *webhooks(installation),
        *deployments(installation),
        apiservice(installation),
    ]


def _namespace(installation: Installation) -> Manifest:
    secure = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": installation.namespace, "labels": labels() | secure},
    }


def document(installation: Installation) -> str:
    return as_yaml(manifests(installation), source="cdi/operator and cdi/api")


def main() -> None:
    from argparse import ArgumentParser

    parser = ArgumentParser(description="Print everything that is installed, as YAML.")
    parser.add_argument("--image", default=Installation.image, help="image of all programs")
    parser.add_argument("--pull-policy", default=Installation.pull_policy, choices=("Always", "IfNotPresent", "Never"))
    given = parser.parse_args()
    print(document(Installation(image=given.image, pull_policy=given.pull_policy)), end="")


if __name__ == "__main__":
    main()
