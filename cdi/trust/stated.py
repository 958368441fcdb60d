"""What the Secrets say of their certificates: the contract's annotations. Tools read them, and people cut
``not-after`` to have a certificate replaced. Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from cdi.base.moments import moment, written
from cdi.trust import certificates
from cdi.trust.certificates import Pair
from cdi.trust.lifetimes import Lifetime

_ABOUT = "auth.openshift.io/certificate-"
NOT_BEFORE, NOT_AFTER = f"{_ABOUT}not-before", f"{_ABOUT}not-after"
ISSUER, HOSTNAMES = f"{_ABOUT}issuer", f"{_ABOUT}hostnames"
CONFIG = "operator.cdi.kubevirt.io/certConfig"


def stated(pair: Pair, life: Lifetime, names: Sequence[str] = ()) -> dict[str, str]:
    """``names``: what a server is called by. Its life begins when it was issued: earlier is for clocks that differ."""
    span = certificates.span(pair.certificate)
    said = {NOT_BEFORE: written(span[0]), NOT_AFTER: written(span[1])}
    said |= {ISSUER: certificates.issuer(pair.certificate), CONFIG: str(life)}
    return said | ({HOSTNAMES: ",".join(sorted(names))} if names else {})


def is_asked(annotations: Mapping[str, str], life: Lifetime, now: datetime.datetime, names: Sequence[str] = ()) -> bool:
    """Whether a new certificate is asked for: by other lifetimes, by more names, or by somebody who cut its life.

    Names that it has beyond ``names`` do no harm: two versions of us may run for a moment.
    """
    issued, ends = (moment(annotations.get(key, "")) for key in (NOT_BEFORE, NOT_AFTER))
    if annotations.get(CONFIG) != str(life) or issued is None or ends is None:
        return True
    return not set(names) <= set(annotations.get(HOSTNAMES, "").split(",")) or life.is_over(issued, ends, now)
