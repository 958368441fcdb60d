"""Names of the webhook configurations. Contract: clients and administrators look for them."""

from __future__ import annotations

MUTATING = ("cdi-api-datavolume-mutate", "cdi-api-pvc-mutate")
VALIDATING = (
    "cdi-api-datavolume-validate",
    "cdi-api-dataimportcron-validate",
    "cdi-api-populator-validate",
    "objecttransfer-api-validate",
    "cdi-api-validate",
)
