"""/cdi-validate: the CDI object may forbid its own end while there are volumes."""

from __future__ import annotations

from cdi.api.cdi import CDI
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, Answer, Request, broken
from cdi.kube.cdi_resources import DATA_VOLUMES

_LASTING = "!cdi.kubevirt.io/dataImportCron"  # without the label of what comes and goes by itself


async def validate(request: Request, lookup: Lookup) -> Answer:
    system = decoded(request.old_object, CDI)
    if system.spec.uninstall_strategy != "BlockUninstallIfWorkloadsExist" or system.status.phase in ("", "Error"):
        return ALLOWED
    found = await lookup.some(DATA_VOLUMES, _LASTING)
    if not found:
        return ALLOWED
    # The contract's text has this number whatever there is: its list ends at the second one.
    return broken(
        "rejecting the uninstall request, since there are still 1 DataVolumes present. Either delete all DataVolumes "
        f"(for example {found[0].metadata.namespace}/{found[0].metadata.name}) or change the uninstall strategy "
        "before uninstalling CDI"
    )
