"""/dataimportcron-validate. No controller of this version acts on the kind: a warning says so."""

from __future__ import annotations

from collections.abc import Iterator

from cdi.api.dataimportcron import DataImportCron, DataImportCronSpec
from cdi.api.datavolume import DataVolume
from cdi.api.validation import violation
from cdi.api.violation import Violation
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, DUPLICATE, Answer, Request, refused
from cdi.apiserver.schedule import is_schedule
from cdi.apiserver.served import kind_warning

_LONGEST_NAME = 63
_TOO_LONG = f"Name cannot be longer than {_LONGEST_NAME} characters"


async def validate(request: Request, lookup: Lookup) -> Answer:  # noqa: ARG001 - all webhooks are called alike
    cron = decoded(request.object, DataImportCron)
    if request.operation == "UPDATE":
        same = decoded(request.old_object, DataImportCron).spec == cron.spec
        text = Violation("DataImportCron.Spec", "Cannot update DataImportCron Spec")
        return ALLOWED if same else refused([text], DUPLICATE)
    found = next(_violations(cron), None)
    return refused([found]) if found is not None else Answer(warnings=(kind_warning("DataImportCron"),))


def _violations(cron: DataImportCron) -> Iterator[Violation]:
    if len(cron.metadata.name) > _LONGEST_NAME:
        yield Violation("", _TOO_LONG)
    yield from _template(cron.spec)
    if cron.spec.schedule and not is_schedule(cron.spec.schedule):
        yield Violation("spec.Schedule", "Illegal cron schedule")
    if cron.spec.imports_to_keep is not None and cron.spec.imports_to_keep < 0:
        yield Violation("spec.ImportsToKeep", "Illegal ImportsToKeep value")
    if cron.spec.garbage_collect not in (None, "Never", "Outdated"):
        yield Violation("spec.GarbageCollect", "Illegal GarbageCollect value")
    if not cron.spec.managed_data_source:
        yield Violation("spec.ManagedDataSource", "Illegal ManagedDataSource value")
    if len(cron.spec.managed_data_source) > _LONGEST_NAME:
        yield Violation("", _TOO_LONG)


def _template(spec: DataImportCronSpec) -> Iterator[Violation]:
    wanted = spec.template.spec
    if wanted.source is None or (wanted.source.registry is None and wanted.source.pvc is None):
        yield Violation("spec.Template", "Missing source")
        return
    if wanted.source_ref or wanted.content_type or wanted.checkpoints or wanted.final_checkpoint:
        text = "Unsettable fields: SourceRef, ContentType, Checkpoints, FinalCheckpoint"
        yield Violation("spec.Template", text)
    found = violation(DataVolume(spec=wanted))
    if found is not None:
        field = found.field.replace("spec.", "Template.", 1)
        yield Violation(field, found.message.replace("spec.source", "Template.source"))
