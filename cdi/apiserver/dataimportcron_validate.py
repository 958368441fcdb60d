"""/dataimportcron-validate. No controller of this version acts on the kind: a warning says so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdi.api.dataimportcron import DataImportCron, DataImportCronSpec
from cdi.api.datavolume import DataVolume
from cdi.api.validation import violation
from cdi.api.violation import Violation
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.populator_validate import NOT_ACTED_ON
from cdi.apiserver.review import ALLOWED, DUPLICATE, Answer, Request, refused

_LONGEST_NAME = 63
_TOO_LONG = f"Name cannot be longer than {_LONGEST_NAME} characters"
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "sun",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
]
_PART = re.compile(r"(\*|\?|[0-9]+|[a-z]{3})(?:-([0-9]+|[a-z]{3}))?(?:/([0-9]+))?")
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


async def validate(request: Request, lookup: Lookup) -> Answer:  # noqa: ARG001 - all webhooks are called alike
    cron = decoded(request.object, DataImportCron)
    if request.operation == "UPDATE":
        same = decoded(request.old_object, DataImportCron).spec == cron.spec
        text = Violation("DataImportCron.Spec", "Cannot update DataImportCron Spec")
        return ALLOWED if same else refused([text], DUPLICATE)
    found = next(_violations(cron), None)
    return refused([found]) if found is not None else Answer(warnings=(f"DataImportCron is {NOT_ACTED_ON}",))


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


def is_schedule(text: str) -> bool:
    """Whether ``text`` is a standard cron expression: five fields, or a descriptor such as @daily."""
    if text.startswith("@"):
        return text in _DESCRIPTORS or re.fullmatch(r"@every ([0-9.]+(h|m|s|ms|us|ns))+", text) is not None
    fields = text.lower().split()
    return len(fields) == len(_RANGES) and all(map(_is_field, fields, _RANGES))


def _is_field(text: str, limits: tuple[int, int]) -> bool:
    return all(_is_part(part, limits) for part in text.split(","))


def _is_part(text: str, limits: tuple[int, int]) -> bool:
    match = _PART.fullmatch(text)
    if match is None:
        return False
    first, last, step = match.groups()
    named = (value for value in (first, last) if value and value.isalpha())
    numbers = [int(value) for value in (first, last) if value and value.isdigit()]
    sound = all(limits[0] <= number <= limits[1] for number in numbers) and sorted(numbers) == numbers
    return sound and all(value in _NAMES for value in named) and (step is None or int(step) > 0)
