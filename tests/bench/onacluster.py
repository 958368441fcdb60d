"""``python -m tests.bench.onacluster [CASE...] [-n ROUNDS]``: create -> Succeeded on a cluster, against the pod floor.

F, the floor: a pod of the same image on a fresh claim of the same class that runs ``true``, create -> terminated in its
status. Rounds alternate: floor, import, floor, ... Run it inside the bed: ``make cluster-exec CMD="..."``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from bench.clusterimages import cluster_images  # noqa: E402  they are found by the line above
from kubernetes.config import new_client_from_config  # noqa: E402
from support.kinds import Cluster, Namespace, Object, phase_of  # noqa: E402
from support.manifests import IMMEDIATE, claim, datavolume, http  # noqa: E402
from support.nginx import Nginx  # noqa: E402
from support.volumes import looking_pod  # noqa: E402


@dataclass(frozen=True)
class Case:
    """``slack``: what the goal allows beyond the floor, seconds."""

    name: str
    class_name: str
    mode: str
    image: str
    size: str
    slack: float


CASES = tuple(
    Case(f"{name}, {class_name} {mode}", class_name, mode, image, size, slack)
    for name, image, size, slack in (
        ("blank 1 GiB", "", "1Gi", 0.3),
        ("21 MiB qcow2", "small.qcow2", "256Mi", 1.0),
        ("1 GiB qcow2 with 200 MB", "medium.qcow2", "1200Mi", 2.0),
    )
    for class_name, mode in (("shared", "Filesystem"), ("csi", "Filesystem"), ("csi", "Block"))
)


@dataclass
class Timeline:
    """Milestones in seconds since the create call began, in the order of their first time."""

    begin: float = field(default_factory=time.monotonic)
    marks: dict[str, float] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, time.monotonic() - self.begin)


def main() -> int:
    arguments = _arguments()
    cluster = Cluster(new_client_from_config(arguments.kubeconfig))
    namespace = Namespace(cluster, f"bench-{os.getpid()}")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.name}})
    try:
        with Nginx(cluster_images(), arguments.host) as web:
            print("| case (n) | F s | create to Succeeded s | beyond F | goal | met |\n|---|---|---|---|---|---|")
            for case in CASES:
                if not any(map(case.name.startswith, arguments.cases or [""])):
                    continue
                print(_measured(namespace, case, web, arguments.rounds), flush=True)
    finally:
        cluster.delete("Namespace", namespace.name)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="by the beginning of its name")
    parser.add_argument("-n", dest="rounds", type=int, default=9)
    parser.add_argument("--kubeconfig", default=os.environ.get("CDI_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG"))
    parser.add_argument("--host", default=os.environ.get("CDI_TEST_HOST", "192.168.250.1"))
    return parser.parse_args()


def _measured(namespace: Namespace, case: Case, web: Nginx, rounds: int) -> str:
    floors, imports = [], []
    for number in range(rounds):
        _wait_for_phase(number / rounds)
        floors.append(_floor(namespace, case, f"floor-{number}"))
        _wait_for_phase(number / rounds)
        imports.append(_import(namespace, case, web, f"disk-{number}").marks)
    floor, took = statistics.median(floors), statistics.median(marks["Succeeded"] for marks in imports)
    steps = {name: statistics.median(marks[name] for marks in imports if name in marks) for name in imports[-1]}
    shown = ", ".join(f"{name} {at:.2f}" for name, at in sorted(steps.items(), key=lambda item: item[1]))
    met = "yes" if took - floor <= case.slack else "**no**"
    row = f"| {case.name} ({rounds}) | {floor:.2f} | {took:.2f} | {took - floor:+.2f} | {case.slack} | {met} |"
    spread = f"floors {_sorted(floors)}; imports {_sorted(marks['Succeeded'] for marks in imports)}"
    return f"{row}\n<!-- medians: {shown}; {spread} -->"


def _sorted(seconds: Iterable[float]) -> str:
    return " ".join(f"{value:.2f}" for value in sorted(seconds))


def _wait_for_phase(phase: float) -> None:
    """The kubelet looks for ended containers once a second. A round that begins when the last one was seen to end would
    always meet its clock at the same point, and measure that; so rounds begin all over the second."""
    time.sleep((phase - time.monotonic()) % 1.0)


def _floor(namespace: Namespace, case: Case, name: str) -> float:
    pod = looking_pod(name, name, "true", block=case.mode == "Block")
    begin = time.monotonic()
    namespace.create(_claim(name, case))
    namespace.create(pod)
    namespace.wait("Pod", name, _has_terminated)
    took = time.monotonic() - begin
    namespace.delete("Pod", name, force=True)
    namespace.delete("PersistentVolumeClaim", name)
    _wait_empty(namespace)
    return took


def _import(namespace: Namespace, case: Case, web: Nginx, name: str) -> Timeline:
    source = http(web.url(case.image)) if case.image else {"blank": {}}
    manifest = datavolume(name, source, annotations=IMMEDIATE, pvc=_claim(name, case)["spec"])
    timeline = Timeline()
    watchers = [
        _watcher(namespace, "Pod", timeline, _pod_marks),
        _watcher(namespace, "PersistentVolumeClaim", timeline, _claim_marks),
    ]
    timeline.begin = time.monotonic()
    namespace.create(manifest)
    namespace.wait("DataVolume", name, lambda found: phase_of(found) == "Succeeded", 120)
    timeline.mark("Succeeded")
    timeline.marks["Succeeded"] = time.monotonic() - timeline.begin
    for stop in watchers:
        stop()
    namespace.delete("DataVolume", name)
    _wait_empty(namespace)
    return timeline


def _wait_empty(namespace: Namespace) -> None:
    """Nothing of this round may be taken for the next one's, or slow it down."""
    for kind in ("Pod", "PersistentVolumeClaim"):
        for left in namespace.list(kind):
            namespace.wait_gone(kind, left["metadata"]["name"])


def _watcher(
    namespace: Namespace, kind: str, timeline: Timeline, marks: Callable[[Object], list[str]]
) -> Callable[[], None]:
    stopped = threading.Event()

    def work() -> None:
        for event in namespace.cluster.watch(kind, namespace.name, "", 120):
            if stopped.is_set():
                return
            for name in marks(event["object"]):
                timeline.mark(name)

    threading.Thread(target=work, daemon=True).start()
    return stopped.set


def _pod_marks(pod: Object) -> list[str]:
    status = pod.get("status", {})
    found = ["pod created"] + ["pod scheduled"] * bool(pod["spec"].get("nodeName"))
    for container in status.get("containerStatuses", []):
        state = container["state"]
        found += ["container running"] * ("running" in state) + ["container ended"] * ("terminated" in state)
    return found


def _claim_marks(found: Object) -> list[str]:
    kind = "prime" if found["metadata"]["name"].startswith("prime-") else "claim"
    bound = found.get("status", {}).get("phase") == "Bound"
    return [f"{kind} created"] + [f"{kind} bound"] * bound


def _has_terminated(pod: Object) -> bool:
    return any("terminated" in entry["state"] for entry in pod.get("status", {}).get("containerStatuses", []))


def _claim(name: str, case: Case) -> Object:
    spec = claim(case.size, case.class_name, volumeMode=case.mode)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


if __name__ == "__main__":
    sys.exit(main())
