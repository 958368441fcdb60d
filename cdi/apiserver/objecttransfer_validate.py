"""/objecttransfer-validate. The kind is deprecated, and no controller of this version acts on it."""

from __future__ import annotations

from typing import Any

from cdi.api.objecttransfer import ObjectTransfer
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, Answer, Request, broken
from cdi.apiserver.served import kind_warning
from cdi.base.printable import excerpt
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.resources import CLAIMS, Resource

_KINDS: dict[str, Resource[Any]] = {"DataVolume": DATA_VOLUMES, "PersistentVolumeClaim": CLAIMS}
_DEPRECATED = "ObjectTransfer feature is deprecated, and will be deleted soon"


async def validate(request: Request, lookup: Lookup) -> Answer:
    transfer = decoded(request.object, ObjectTransfer)
    if request.operation == "UPDATE":
        same = decoded(request.old_object, ObjectTransfer).spec == transfer.spec
        return ALLOWED if same else broken("ObjectTransfer spec is immutable")
    source, target = transfer.spec.source, transfer.spec.target
    if target.namespace is None and target.name is None:
        return broken("Target namespace and/or target name must be supplied")
    if source.kind not in _KINDS:
        return broken(f'Unsupported kind "{excerpt(source.kind)}"')
    namespace, name = target.namespace or source.namespace, target.name or source.name
    if await lookup.find(_KINDS[source.kind], name, namespace) is not None:
        return broken(f'ObjectTransfer target "{namespace}/{name}" already exists')
    return Answer(warnings=(_DEPRECATED, kind_warning("ObjectTransfer")))
