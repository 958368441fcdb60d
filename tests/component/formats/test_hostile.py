"""Every hostile image is refused with its code, quickly, and in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.hostile import hostile_images

_PROGRAM = """
import json, resource, sys, time
sys.path[:0] = sys.argv[1:]
from support.hostile import hostile_images
from support.images import reader
from cdi.base.faults import Fault
from importer.formats.magic import recognise
from importer.formats.registry import open_image

resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20))

def verdict(data):
    try:
        for extent in open_image(recognise(data[:65536]), reader(data), len(data)).extents():
            pass
    except Fault as fault:
        return fault.code, fault.message
    return "accepted", ""

found = {}
for name, hostile in hostile_images().items():
    data = hostile.build()
    start = time.monotonic()
    code, message = verdict(data)
    found[name] = code, message, time.monotonic() - start
print(json.dumps(found))
"""


def test_every_hostile_image_is_refused_in_a_second_and_100_mib() -> None:
    root = Path(__file__).parents[3]

    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(root / "tests"), str(root)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = {name: hostile.code for name, hostile in hostile_images().items()}
    assert {name: code for name, (code, _, _) in found.items()} == expected
    assert len(found) >= 25
    assert max(seconds for _, _, seconds in found.values()) < 1
    assert found["qcow2 with a giant L1 table"][1].startswith("L1 size too big [ImageTableTooBig]")
