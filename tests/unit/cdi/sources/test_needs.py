"""What a worker is given for its source: variables, keys of Secrets, files."""

from __future__ import annotations

from cdi.sources.kind import needs_of
from cdi.sources.needs import Files, Key
from cdi.sources.parameters import Parameters

URL = "https://host/disk"


def test_a_server_is_asked_with_user_password_certificates_and_headers() -> None:
    asked = Parameters("http", URL, "keys", "ca", "md5:1", True, ("A: 1",), ("token",), archive=True)
    needs = needs_of(asked)
    told = needs.told
    assert (told.source, told.endpoint, told.checksum, told.insecure) == ("http", URL, "md5:1", True)
    assert (told.headers, told.archive, told.preallocation) == (("A: 1",), True, False)
    assert needs.keys == (
        Key("IMPORTER_ACCESS_KEY_ID", "keys", "accessKeyId"),
        Key("IMPORTER_SECRET_KEY", "keys", "secretKey"),
    )
    certificates, headers = needs.files
    assert certificates == Files("cdi-cert-vol", "ConfigMap", "ca", "/certs", variable="IMPORTER_CERT_DIR")
    assert headers == Files("cdi-secret-extra-headers-vol-0", "Secret", "token", "/extraheaders/0")


def test_the_secret_of_an_s3_source_may_hold_more() -> None:
    keys = needs_of(Parameters("s3", URL, "keys")).keys
    assert [(key.key, key.optional) for key in keys] == [
        ("accessKeyId", False), ("secretKey", False), ("sessionToken", True), ("region", True)
    ]  # fmt: skip
    assert needs_of(Parameters("s3", URL)).keys == ()


def test_a_blank_disk_needs_nothing_whatever_is_written_on_its_claim() -> None:
    needs = needs_of(Parameters("none", URL, "keys", "ca", "md5:1", False, ("A: 1",), ("token",), preallocation=True))
    assert (needs.told.source, needs.told.endpoint, needs.told.checksum, needs.told.headers) == ("none", "", "", ())
    assert needs.told.preallocation
    assert (needs.keys, needs.files, dict(needs.variables)) == ((), (), {})


def test_files_are_named_where_they_are() -> None:
    whole = Files("v", "Secret", "s", "/google", variable="PLACE")
    assert whole.variables("/run/google") == {"PLACE": "/run/google"}
    one = Files("v", "Secret", "s", "/google", variable="PLACE", file="credentials.json")
    assert one.variables(one.path) == {"PLACE": "/google/credentials.json"}
    assert Files("v", "Secret", "s", "/headers").variables("/x") == {}
