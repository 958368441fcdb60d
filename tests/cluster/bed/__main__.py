"""``python -m tests.cluster.bed COMMAND``.

up, down; kubeconfig: prints its path; exec COMMAND...: runs it inside; kubectl ARGUMENT...;
load: builds and loads this clone's image; install: load, then apply deploy/cdi.yaml; restart PROGRAM;
during COMMAND...: runs it on this machine while the bed is up, and takes the bed down when nobody else uses it.
"""

from __future__ import annotations

import os
import sys

from . import bed, kubectl, netns, place, tools


def main(words: list[str]) -> int:
    os.umask(0o022)  # what others run and read
    match words:
        case ["up"]:
            bed.up()
            bed.keep()
        case ["down"]:
            bed.down()
        case ["load"]:
            bed.load_project()
        case ["install"]:
            bed.install(alone=bed.is_free())
        case ["restart", name]:
            bed.restart(name)
        case ["during", *command] if command:
            return bed.during(command)
        case ["kubeconfig"]:
            print(place.KUBECONFIG)
        case ["exec" | "kubectl", *_] if not netns.PATH.exists():
            raise SystemExit("bed: no test cluster is up. Try: make cluster-up")
        case ["exec", *command] if command:
            path = f"{tools.program('kube').parent}:{os.environ['PATH']}"
            environment = {**os.environ, "KUBECONFIG": str(place.KUBECONFIG), "PATH": path}
            os.execvpe("nsenter", netns.inside(*command), environment)
        case ["kubectl", *arguments]:
            os.execvp("nsenter", kubectl.command(*arguments))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
