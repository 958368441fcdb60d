"""A pod under default-deny, as a NetworkPolicy would have it: nft rules, because the bed's CNI enforces no policy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def isolated(address: str, *, egress: bool = False) -> Iterator[None]:
    """Nothing reaches the pod at ``address``, neither from the node; the kubelet and its logs need no network.
    ``egress``: what it asks for itself goes on, and is answered; otherwise nothing leaves it either."""
    table = f"isolated_{address.replace('.', '_')}"
    deny = (
        f"ip daddr {address} ct direction original drop;"
        if egress
        else f"ip saddr {address} drop; ip daddr {address} drop;"
    )
    rules = "".join(
        f"chain {hook} {{ type filter hook {hook} priority -10; {deny} }}\n" for hook in ("input", "forward", "output")
    )
    _nft(f"table ip {table} {{\n{rules}}}\n")
    try:
        yield
    finally:
        _nft(f"delete table ip {table}\n")


def _nft(script: str) -> None:
    done = subprocess.run(["nft", "-f", "-"], input=script, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{done.stderr}\n{script}"
