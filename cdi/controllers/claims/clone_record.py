"""The plan of a clone, on its claim and in the status of its DataVolume. Pure.

Whoever may edit the claim may edit the record. It grants nothing: what it says decides about the method only, and all
else is taken from the facts again.
"""

from __future__ import annotations

import msgspec

from cdi.api.datavolume import Clone, RejectedMethod
from cdi.base.printable import excerpt
from cdi.kube.decoding import told
from storageprofiles.clone import METHOD_FAILED, Plan, Refusal
from storageprofiles.clone_facts import Method

_CHARACTERS = 1 << 14  # three reasons have at most two thousand
_REASON = 512


def clone_of(plan: Plan | Refusal) -> Clone:
    """As the status has it."""
    rejected = [RejectedMethod(item.method, item.code, excerpt(item.text, _REASON)) for item in plan.rejected]
    if isinstance(plan, Refusal):
        return Clone(rejected=rejected)
    return Clone(
        method=plan.method,
        asked=plan.facts.wishes.asked,
        then=list(plan.then),
        rejected=rejected,
        moves_at_most=plan.moves_at_most,
        expands=plan.expands,
        snapshot_class=plan.snapshot_class.name if plan.snapshot_class else "",
        restore_class=plan.restore_class,
    )


def record(plan: Plan) -> str:
    """The value of annotation ``storage.clone.plan``."""
    return msgspec.json.encode(clone_of(plan)).decode()


def recorded(annotation: str) -> Clone | None:
    """None where there is none, or none of ours."""
    found = told(Clone, annotation, _CHARACTERS)
    return found if found is not None and found.method in list(Method) and 0 <= found.moves_at_most < 2**63 else None


def begun_in(found: Clone | None) -> Method | None:
    return Method(found.method) if found is not None else None


def failed_in(found: Clone | None) -> dict[Method, str]:
    """Methods that were given up at run time, each with why."""
    rejected = found.rejected if found is not None else []
    return {
        Method(item.method): item.reason
        for item in rejected
        if item.code == METHOD_FAILED and item.method in list(Method)
    }
