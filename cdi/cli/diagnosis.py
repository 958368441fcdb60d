"""What a volume waits for, why, and what to do: from what is seen of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api.phase import Phase
from cdi.base.units import human_duration
from cdi.cli.story import Story, Worker
from cdi.cli.view import UNSEEN_S, View
from cdi.contract import annotations as a


@dataclass(frozen=True, slots=True)
class Answer:
    """``code``: of the fault, or one word; ``says``: sentences; ``remedy``: what to do, empty where nothing is."""

    code: str
    says: tuple[str, ...]
    remedy: str = ""


def diagnose(view: View, story: Story, age_s: float = 0.0) -> Answer:
    """``age_s``: since the volume was made."""
    if story.is_being_deleted:
        return Answer("Deleting", ("It is being deleted, and waits for what uses it.",))
    if view.phase == Phase.SUCCEEDED:
        return Answer("Succeeded", (f"Its disk is whole: {story.disk}.",))
    if view.trouble:
        return _failed(view, story)
    if view.is_unseen and age_s > UNSEEN_S and story.is_worked_on:
        says = f"No controller has looked at it, {human_duration(age_s)} after it was made."
        return Answer("Unseen", (says,), "look whether one runs: kubectl get pods -n cdi")
    return _not_bound(view, story) or _worker(story.worker) or _waiting(view, story)


def _failed(view: View, story: Story) -> Answer:
    failure = view.volume.status.failure
    what, _, remedy = view.trouble.partition(" Try: ")
    code = failure.code if failure is not None else view.condition("Running").reason
    since = f" since {failure.since}, {_attempts(failure.attempts)}" if failure is not None else ""
    kind = "needs you" if failure is not None and failure.permanent else "may pass by itself"
    return Answer(code, (f"It fails{since}; this {kind}:", f"  {what}", story.continues), remedy)


def _attempts(count: int) -> str:
    return f"{count} attempt{'' if count == 1 else 's'}"


def _not_bound(view: View, story: Story) -> Answer | None:
    bound = view.condition("Bound")
    waits = view.phase in (Phase.PENDING_POPULATION, Phase.WAIT_FOR_FIRST_CONSUMER) or story.waits_for_consumer
    if waits and not bound.reason.startswith("Err"):
        says = "Its storage class makes a volume where the first pod that uses it runs, and there is none yet."
        return Answer("WaitForFirstConsumer", (says,), f"start the VM or pod, or annotate it with {a.IMMEDIATE}=true")
    if bound.reason.startswith(
        ("Err", "CloneWithout", "CloneValidation", "CloneNotPermitted", "ClaimLost", "NotActedOn")
    ):
        return Answer(bound.reason, (f"It has no volume: {bound.message}",), _REMEDIES.get(bound.reason, ""))
    if bound.status == "False" and bound.message and story.worker is None:
        return Answer(bound.reason or "Pending", (f"Its volume is not there yet: {bound.message}",))
    return None


_REMEDIES = {
    "ErrExceededQuota": "delete what is not needed, or ask for a larger quota; it goes on by itself",
    "ErrClaimNotValid": "name a storage class that exists, or say accessModes; cdi storage lists the classes",
    "NotActedOn": "use a source that cdi import --help names",
}


def _worker(worker: Worker | None) -> Answer | None:
    if worker is None:
        return None
    if worker.unschedulable:
        return Answer("Unschedulable", (f"No node takes its worker: {worker.unschedulable}",))
    if worker.waiting and worker.waiting != "ContainerCreating":
        text = f"Its worker waits: {worker.waiting} {worker.waiting_message}".rstrip()
        return Answer(worker.waiting, (text,))
    return None


def _waiting(view: View, story: Story) -> Answer:
    if view.is_moving:
        return Answer("InProgress", ("Data is on its way.",))
    if not story.is_worked_on:
        return Answer("Stopped", ("Nothing works on it.", story.continues))
    return Answer(view.phase or "New", ("It is about to start.",))
