"""The child that holds S3 credentials: one request in on stdin, one answer out on stdout, then it ends.

    {"url", "headers", "region", "lifetime_s", "access_key", "secret_key", "session_token", "environ"}
 -> {"url", "expires_at"} or {"fault": code, "values": {...}}

Both are one line of JSON. The secret is on the pipe only: never in arguments, in the environment a process starts
with, or in a message. Without an access key the usual AWS chain is asked (environment, shared files, web identity,
container, instance), with ``environ`` as the environment.

Signing needs botocore's signer only. An S3 client would load 45 MB of service descriptions to do the same, and
aiobotocore's session costs 46 MiB and 0.3 s where botocore's takes 32 MiB and 0.14 s (static keys: 29 MiB, 0.1 s):
one process that asks one question gains nothing from asyncio.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from cdi.base.faults import Fault


@dataclass(frozen=True, slots=True)
class Keys:
    access_key: str
    secret_key: str
    session_token: str = ""
    expires_at: float | None = None  # Unix time; None: they do not expire


@dataclass(frozen=True, slots=True)
class Wanted:
    """A presigned GET. ``headers`` become part of the signature: whoever uses the URL must send them."""

    url: str
    headers: dict[str, str]
    region: str
    lifetime_s: int


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to ``request``. Blocking; the chain may ask the network (STS), signing itself does not."""
    try:
        keys = _given_keys(request) or _keys_of_chain(request["environ"])
        url = sign(Wanted(request["url"], request["headers"], request["region"], request["lifetime_s"]), keys)
    except Fault as fault:
        return {"fault": fault.code, "values": fault.values}
    expires_at = time.time() + request["lifetime_s"]
    return {"url": url, "expires_at": min(expires_at, keys.expires_at or expires_at)}


def sign(wanted: Wanted, keys: Keys) -> str:
    """The URL with its signature (SigV4, query form)."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method="GET", url=wanted.url, headers=wanted.headers)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.session_token or None)
    S3SigV4QueryAuth(credentials, "s3", wanted.region, expires=wanted.lifetime_s).add_auth(request)
    return str(request.url)


def _given_keys(request: dict[str, Any]) -> Keys | None:
    if not request["access_key"]:
        return None
    return Keys(request["access_key"], request["secret_key"], request["session_token"])


def _keys_of_chain(environ: dict[str, str]) -> Keys:
    from botocore import exceptions, session

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environ)
    # Off a cloud the instance metadata address is a black hole of seconds, and on one it is somebody's decision.
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    try:
        credentials = session.Session().get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
    except exceptions.ClientError as error:
        is_failing = error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
        code = "S3CredentialsUnavailable" if is_failing else "S3CredentialsRefused"
        raise Fault(code, cause=error.response["Error"]["Code"]) from error
    except exceptions.ProfileNotFound as error:
        raise Fault("CredentialsMissing", missing=f"the profile {error.kwargs['profile']}") from error
    except exceptions.PartialCredentialsError as error:
        raise Fault("CredentialsMissing", missing=str(error.kwargs["cred_var"])) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError, OSError) as error:
        raise Fault("S3CredentialsUnavailable", cause=_said(error)) from error
    except exceptions.CredentialRetrievalError as error:
        raise Fault("S3CredentialsUnavailable", cause=f"{error.kwargs['provider']} gave none") from error
    except exceptions.BotoCoreError as error:
        raise Fault("S3CredentialsRefused", cause=type(error).__name__) from error
    if frozen is None:
        raise Fault("CredentialsMissing", missing="a key pair: AWS_* variables are set, but none leads to one")
    return Keys(frozen.access_key, frozen.secret_key, frozen.token or "", _expiry(credentials))


def _expiry(credentials: object) -> float | None:
    # Only refreshable credentials have it, and botocore gives no public way to ask.
    expiry = getattr(credentials, "_expiry_time", None)
    return expiry.timestamp() if expiry is not None else None


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def main() -> None:
    print(json.dumps(answer(json.loads(sys.stdin.readline()))), flush=True)
    # Everything is said: do not spend time on taking down the interpreter.
    os._exit(0)


if __name__ == "__main__":
    main()
