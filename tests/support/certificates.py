"""Certificates for tests, made with the openssl command."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """PEM files of a certificate (with its chain, if any) and its key."""

    cert: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


class Authority:
    """A certificate authority in ``directory``; ``parent`` makes it an intermediate one."""

    def __init__(self, directory: Path, name: str = "Test CA", parent: Authority | None = None) -> None:
        self._directory = directory
        self._serial = 0
        directory.mkdir(parents=True, exist_ok=True)
        if parent is None:
            self.pair = Pair(directory / "ca.pem", directory / "ca.key")
            _openssl(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30",
                "-subj", f"/CN={name}", "-keyout", self.pair.key, "-out", self.pair.cert,
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            )  # fmt: skip
        else:
            self.pair = parent.issue(name, "", ca=True)

    @property
    def cert(self) -> Path:
        return self.pair.cert

    def issue(self, name: str, alt_names: str = "IP:127.0.0.1", *, ca: bool = False, expired: bool = False) -> Pair:
        """A certificate; ``alt_names`` as in openssl.cnf: ``DNS:a,IP:127.0.0.1``."""
        self._serial += 1
        base = self._directory / f"issued{self._serial}"
        pair = Pair(base.with_suffix(".pem"), base.with_suffix(".key"))
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        lines = [f"subjectAltName={alt_names}"] if alt_names else []
        lines.append("basicConstraints=critical,CA:TRUE" if ca else "basicConstraints=CA:FALSE")
        extensions.write_text("\n".join(lines) + "\n")
        _openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes",
            "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request,
        )  # fmt: skip
        _openssl(
            "x509 -req", "-in", request, "-CA", self.pair.cert, "-CAkey", self.pair.key, "-out", pair.cert,
            "-extfile", extensions, "-set_serial", str(self._serial), "-days", "-1" if expired else "30",
        )  # fmt: skip
        return pair


def with_chain(leaf: Pair, *issuers: Authority) -> Pair:
    """``leaf`` with the certificates of its issuers behind it, as a server sends them."""
    chain = leaf.cert.with_suffix(".chain.pem")
    chain.write_text("".join(path.read_text() for path in (leaf.cert, *(issuer.cert for issuer in issuers))))
    return Pair(chain, leaf.key)


def _openssl(words: str, *more: str | Path) -> None:
    command = ["openssl", *words.split(), *map(str, more)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
