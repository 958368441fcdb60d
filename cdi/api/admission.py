"""Names of the webhook configurations and of the APIService. Contract: clients and administrators look for them."""

from __future__ import annotations

RENDERING = "cdi-api-pvc-mutate"  # claims are completed: it is there while that is wanted
MUTATING = ("cdi-api-datavolume-mutate", RENDERING)
VALIDATING = (
    "cdi-api-datavolume-validate",
    "cdi-api-dataimportcron-validate",
    "cdi-api-populator-validate",
    "objecttransfer-api-validate",
    "cdi-api-validate",
)
API_SERVICE = "v1beta1.upload.cdi.kubevirt.io"
