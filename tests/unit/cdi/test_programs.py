from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

SLOW = """
print("begun", flush=True)
while True:
    pass
"""


def test_a_signal_while_a_program_is_still_imported_ends_it(tmp_path: Path) -> None:
    """By a handler: the kernel gives process 1 no other end."""
    (tmp_path / "slow.py").write_text(SLOW)
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from cdi.programs import _run; _run('slow')"
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
