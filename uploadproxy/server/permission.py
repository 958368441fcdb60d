"""A client without a certificate, and its token: what a tunnel through the Kubernetes API has."""

from __future__ import annotations

from cdi.base.faults import Fault
from cdi.base.wire.upload import Claim
from uploadproxy.server.answer import Answer


def refusal(header: str, claim: Claim | None) -> Answer | None:
    """Why ``header`` (Authorization) does not let its sender use sessions of ``claim``; None where it does."""
    # Costs 15 MB, and most servers never see one.
    from cdi.base.tokens import public_key
    from cdi.base.upload_permits import permitted

    if claim is None:
        return Answer(404)
    try:
        permit = permitted(header, public_key(claim.key.encode()))
    except Fault as fault:
        return Answer(401, fault.message)
    except ValueError:
        return Answer(401, Fault("UploadTokenRefused", why="this server has no key to verify a token with").message)
    if (permit.namespace, permit.name) != (claim.namespace, claim.name):
        return Answer(401, Fault("UploadTokenUnfit", why="the token is for another PersistentVolumeClaim").message)
    if not permit.fits(claim.uid):
        return Answer(401, Fault("UploadTokenOutdated", claim=f"{claim.namespace}/{claim.name}").message)
    return None
