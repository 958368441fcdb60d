"""The kinds of work, a folder for each. Where a claim asks for several, the first one is done."""

from __future__ import annotations

from cdi.controllers.population.kind import Kind
from cdi.controllers.population.kinds.copying.kind import Copying
from cdi.controllers.population.kinds.importing.kind import Importing
from cdi.controllers.population.kinds.receiving.kind import Receiving
from cdi.controllers.population.kinds.uploading.kind import Uploading
from cdi.kube.pods import Pod
from cdi.kube.resources import CLAIMS

KINDS: tuple[Kind, ...] = (Uploading(), Receiving(), Copying(), Importing())


def kind_of_worker(pod: Pod) -> Kind | None:
    """None: it is no worker of ours. A name proves nothing, anybody may have called a pod so: its owner counts too."""
    owner = next((owner for owner in pod.metadata.owner_references if owner.controller), None)
    if owner is None or owner.kind != CLAIMS.kind:
        return None
    return next((kind for kind in KINDS if pod.metadata.name == kind.worker_name(owner.name)), None)
