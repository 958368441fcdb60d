"""Which credentials an S3 source uses: a pure decision over what the user gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from importer.sources import SourceSpec

# Any of these says that the environment means to give credentials; without one the request stays unsigned, and
# nobody's metadata address is asked.
_CHAIN_VARIABLES = frozenset(
    {
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    }
)
_PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "no_proxy"})


@dataclass(frozen=True, slots=True)
class S3Access:
    """``keys``: (access key, secret key, session token). ``chain``: the environment to ask when there are no keys.
    Neither: anonymous, requests are not signed."""

    keys: tuple[str, str, str] | None = field(default=None, repr=False)
    chain: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def is_anonymous(self) -> bool:
        return self.keys is None and self.chain is None


def choose_access(spec: SourceSpec) -> S3Access:
    """Raises Fault CredentialsMissing for half a key pair."""
    given = (spec.user.strip(), spec.password.strip(), spec.session_token.strip())
    if any(given):
        return S3Access(_whole(given, ("accessKeyId", "secretKey")))
    environ = spec.environ
    pair = (
        environ.get("AWS_ACCESS_KEY_ID", "").strip(),
        environ.get("AWS_SECRET_ACCESS_KEY", "").strip(),
        environ.get("AWS_SESSION_TOKEN", "").strip(),
    )
    if pair[0] or pair[1]:
        return S3Access(_whole(pair, ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")))
    if any(environ.get(name) for name in _CHAIN_VARIABLES) or _wants_instance_metadata(environ):
        return S3Access(chain={name: value for name, value in environ.items() if _is_for_chain(name)})
    return S3Access()


def _whole(keys: tuple[str, str, str], names: tuple[str, str]) -> tuple[str, str, str]:
    for value, name in zip(keys, names, strict=False):
        if not value:
            raise Fault("CredentialsMissing", missing=name)
    return keys


def _wants_instance_metadata(environ: Mapping[str, str]) -> bool:
    return environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "false"


def _is_for_chain(name: str) -> bool:
    return name.startswith("AWS_") or name == "HOME" or name.lower() in _PROXY_VARIABLES
