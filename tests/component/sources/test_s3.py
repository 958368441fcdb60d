"""The S3 source against a real S3 server (versitygw), and against the fault server for what that does not do."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.faultserver import FaultServer, Route, etag_of
from support.s3server import ACCESS_KEY, SECRET_KEY, S3Server

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.sources import HEAD_SIZE, SourceSpec
from importer.sources.s3 import S3Source

DATA = random.Random(1).randbytes(3 * MiB + 7)
Read = Callable[..., bytes]
MakeSource = Callable[..., S3Source]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.put_object("images", "disk.img", DATA)
        server.create_bucket("public", public=True)
        server.put_object("public", "disk.img", DATA)
        yield server


@pytest.fixture
def an_s3_source() -> Iterator[MakeSource]:
    sources: list[S3Source] = []

    def make(spec: SourceSpec, **options: Any) -> S3Source:
        sources.append(S3Source(spec, **options))
        return sources[-1]

    yield make
    for source in sources:
        source.close()


def at(server: FaultServer, **fields: Any) -> SourceSpec:
    """An object on the fault server, with keys it does not check."""
    keys = {"user": ACCESS_KEY, "password": SECRET_KEY, "stall_timeout_s": 5.0}
    return SourceSpec(server.url("/images/disk.img"), kind="s3", **(keys | fields))


def an_error(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code} it is.</Message>{more}</Error>".encode()


def signatures_of(server: FaultServer) -> list[str]:
    """The signature of each request, in order."""
    return [parse_qs(urlsplit(record.path).query)["X-Amz-Signature"][0] for record in server.requests]


def refusal_of(source: S3Source) -> Fault:
    with pytest.raises(Fault) as caught:
        source.probe()
    return caught.value


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_probe_tells_size_ranges_etag_and_head(s3: S3Server, an_s3_source: MakeSource) -> None:
    facts = an_s3_source(s3.spec("images", "disk.img")).probe()
    assert (facts.name, facts.size, facts.ranges) == ("s3://images/disk.img", len(DATA), True)
    assert facts.etag == s3.client.head_object(Bucket="images", Key="disk.img")["ETag"]
    assert facts.head == DATA[:HEAD_SIZE]


def test_the_whole_object_is_read_as_it_was_put(s3: S3Server, an_s3_source: MakeSource, read: Read) -> None:
    source = an_s3_source(s3.spec("images", "disk.img"))
    source.probe()
    assert read(source.open(0, None)) == DATA


def test_several_threads_read_ranges_at_once(s3: S3Server, an_s3_source: MakeSource, read: Read) -> None:
    source = an_s3_source(s3.spec("images", "disk.img"))
    source.probe()
    step = 256 * KiB
    spans = [(start, min(step, len(DATA) - start)) for start in range(0, len(DATA), step)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda span: read(source.open(*span)), spans))
    assert b"".join(parts) == DATA


def test_the_go_cdis_url_form_reads_the_same_object(s3: S3Server, an_s3_source: MakeSource, read: Read) -> None:
    url = f"{s3.endpoint}/images/disk.img"
    source = an_s3_source(SourceSpec(url, ACCESS_KEY, SECRET_KEY, kind="s3"))
    assert source.probe().name == "s3://images/disk.img"
    assert read(source.open(MiB, 5)) == DATA[MiB : MiB + 5]


@pytest.mark.parametrize("keys", [(ACCESS_KEY, SECRET_KEY), ("", "")], ids=["signed", "anonymous"])
def test_the_bucket_may_be_in_the_host(
    s3: S3Server, an_s3_source: MakeSource, read: Read, keys: tuple[str, str]
) -> None:
    url = f"http://public.{s3.virtual_host}/disk.img"
    source = an_s3_source(SourceSpec(url, *keys, kind="s3", environ=s3.as_proxy), addressing="virtual")
    assert source.probe().size == len(DATA)
    assert read(source.open(1, 4096)) == DATA[1:4097]


@pytest.mark.parametrize(
    ("key", "in_url"),
    [
        ("a dir/b c.img", "a dir/b c.img"),
        ("a dir/b c.img", "a%20dir/b%20c.img"),
        ("größe/磁碟.img", "größe/磁碟.img"),
        ("größe/磁碟.img", "gr%C3%B6%C3%9Fe/%E7%A3%81%E7%A2%9F.img"),
        ("a+b&c=d;e@f:g!h'(i)*$,~.img", "a+b&c=d;e@f:g!h'(i)*$,~.img"),
        ("100%/?#.img", "100%25/%3F%23.img"),
    ],
)
def test_keys_with_unusual_characters_are_read(s3: S3Server, an_s3_source: MakeSource, key: str, in_url: str) -> None:
    s3.put_object("images", key, key.encode() * 9)
    assert an_s3_source(s3.spec("images", in_url)).probe().head == key.encode() * 9
    url = f"{s3.endpoint}/images/{in_url}"
    assert an_s3_source(SourceSpec(url, ACCESS_KEY, SECRET_KEY, kind="s3")).probe().head == key.encode() * 9


def test_an_object_put_in_parts_has_a_usable_etag(s3: S3Server, an_s3_source: MakeSource, read: Read) -> None:
    parts = [random.Random(2).randbytes(5 * MiB), b"the end"]
    etag = s3.put_in_parts("images", "parts.img", parts)
    source = an_s3_source(s3.spec("images", "parts.img"))
    facts = source.probe()
    assert (facts.etag, facts.size) == (etag, 5 * MiB + 7)
    assert etag.endswith('-2"')
    assert read(source.open(5 * MiB - 1, None)) == parts[0][-1:] + parts[1]


def test_a_version_stays_readable_after_it_was_overwritten(s3: S3Server, an_s3_source: MakeSource, read: Read) -> None:
    s3.create_bucket("versions", versioned=True)
    old = s3.put_object("versions", "disk.img", b"old" * 50_000)["VersionId"]
    s3.put_object("versions", "disk.img", b"new")
    source = an_s3_source(s3.spec("versions", f"disk.img?versionId={old}"))
    assert source.probe().name == "s3://versions/disk.img"
    assert read(source.open(0, None)) == b"old" * 50_000


def test_an_object_that_changes_meanwhile_is_noticed(s3: S3Server, an_s3_source: MakeSource) -> None:
    s3.put_object("images", "changing.img", b"1" * 200_000)
    source = an_s3_source(s3.spec("images", "changing.img"))
    source.probe()
    s3.put_object("images", "changing.img", b"2" * 200_000)
    with pytest.raises(Fault) as caught:
        source.open(100_000, 10)
    assert caught.value.code == "SourceChanged"


def test_an_empty_object_is_told(s3: S3Server, an_s3_source: MakeSource) -> None:
    s3.put_object("images", "empty.img", b"")
    assert refusal_of(an_s3_source(s3.spec("images", "empty.img"))).code == "SourceEmpty"


def test_tls_needs_the_servers_ca(tmp_path: Path, an_s3_source: MakeSource, read: Read) -> None:
    with S3Server(tmp_path / "s3", tls=True) as server:
        server.put_object("images", "disk.img", DATA)
        assert refusal_of(an_s3_source(server.spec("images", "disk.img"))).code == "TlsUntrusted"
        for trust in ({"ca_files": (server.ca_file,)}, {"insecure": True}):
            source = an_s3_source(server.spec("images", "disk.img", **trust))
            # Ranges too: this server stores the upload's aws-chunked framing as Content-Encoding.
            assert source.probe().ranges
            assert read(source.open(MiB, 9)) == DATA[MiB : MiB + 9]


# --- credentials ------------------------------------------------------------------------------------------------------


def test_a_public_bucket_is_read_without_keys(s3: S3Server, an_s3_source: MakeSource, read: Read) -> None:
    source = an_s3_source(s3.spec("public", "disk.img", user="", password=""))
    source.probe()
    assert read(source.open(0, None)) == DATA


@pytest.mark.parametrize(
    ("bucket", "key", "code", "what"),
    [
        ("images", "none.img", "S3NotFound",
         "S3 has no bucket images with key none.img (region us-east-1): NoSuchKey."),
        ("nobody", "disk.img", "S3NotFound",
         "S3 has no bucket nobody with key disk.img (region us-east-1): NoSuchBucket."),
    ],
)  # fmt: skip
def test_an_absent_object_says_what_is_absent(
    s3: S3Server, an_s3_source: MakeSource, bucket: str, key: str, code: str, what: str
) -> None:
    fault = refusal_of(an_s3_source(s3.spec(bucket, key)))
    assert (fault.code, fault.what) == (code, what)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"user": "AKIAWRONG"},
         "InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records."),
        ({"password": "wrong"},
         ("SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. "
          "Check your key and signing method.")),
        ({"user": "", "password": ""}, "AccessDenied: Access Denied."),
        ({"session_token": "x"}, "InvalidToken: The provided token is malformed or otherwise invalid."),
    ],
    ids=["key", "secret", "anonymous", "token"],
)  # fmt: skip
def test_a_refusal_says_what_the_service_said(
    s3: S3Server, an_s3_source: MakeSource, fields: dict[str, str], said: str
) -> None:
    fault = refusal_of(an_s3_source(s3.spec("images", "disk.img", **fields)))
    assert fault.code == "S3Refused"
    assert fault.what == f"S3 refused bucket images, key disk.img (region us-east-1): {said}"


def test_keys_of_the_environment_and_of_a_profile_are_used(
    s3: S3Server, an_s3_source: MakeSource, tmp_path: Path
) -> None:
    shared = tmp_path / "credentials"
    shared.write_text(f"[p]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
    for environ in (
        {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
        {"AWS_PROFILE": "p", "AWS_SHARED_CREDENTIALS_FILE": str(shared)},
    ):
        source = an_s3_source(s3.spec("images", "disk.img", user="", password="", environ=environ))
        assert source.probe().size == len(DATA)


def a_web_identity(directory: Path, sts: str) -> dict[str, str]:
    token = directory / "token"
    token.write_text("a.service-account.token")
    return {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/importer",
        "AWS_ENDPOINT_URL_STS": sts,
        "AWS_REGION": "eu-west-1",
        "AWS_MAX_ATTEMPTS": "1",
    }


def test_a_web_identity_is_exchanged_for_keys_with_a_token(
    server: FaultServer, other_server: FaultServer, an_s3_source: MakeSource, tmp_path: Path
) -> None:
    keys = "<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>ST</SessionToken>"
    result = f"<Credentials>{keys}<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
    name = "AssumeRoleWithWebIdentity"
    document = f"<{name}Response><{name}Result>{result}</{name}Result></{name}Response>"
    sts = other_server.add("/", Route(document.encode(), content_type="text/xml", closes_silently=True))
    server.add("/images/disk.img", Route(DATA))
    an_s3_source(at(server, user="", password="", environ=a_web_identity(tmp_path, sts))).probe()
    query = parse_qs(urlsplit(server.requests[0].path).query)
    assert query["X-Amz-Security-Token"] == ["ST"]
    assert query["X-Amz-Credential"][0].startswith("ASIA/")


@pytest.mark.parametrize(
    ("status", "code"), [(403, "S3CredentialsRefused"), (503, "S3CredentialsUnavailable")], ids=["refuses", "fails"]
)
def test_what_the_identity_service_said_is_told(
    other_server: FaultServer, an_s3_source: MakeSource, tmp_path: Path, status: int, code: str
) -> None:
    document = b"<ErrorResponse><Error><Code>AsItSays</Code><Message>No.</Message></Error></ErrorResponse>"
    sts = other_server.add("/", Route(status=status, status_body=document, closes_silently=True))
    environ = a_web_identity(tmp_path, sts)
    fault = refusal_of(an_s3_source(at(other_server, user="", password="", environ=environ)))
    assert (fault.code, fault.values["cause"]) == (code, "AsItSays")
    assert other_server.statuses("/images/disk.img") == []


def test_an_identity_service_that_is_not_there_is_transient(an_s3_source: MakeSource, tmp_path: Path) -> None:
    with FaultServer() as gone:
        pass
    environ = a_web_identity(tmp_path, gone.url("/"))
    fault = refusal_of(an_s3_source(at(gone, user="", password="", environ=environ)))
    assert (fault.code, fault.values["cause"]) == ("S3CredentialsUnavailable", "EndpointConnectionError")


def test_session_token_and_signed_headers_reach_the_service(server: FaultServer, an_s3_source: MakeSource) -> None:
    server.add("/images/disk.img", Route(DATA))
    headers = ("x-amz-request-payer: requester", "X-Other: 1")
    an_s3_source(at(server, session_token="t/+=", headers=headers)).probe()
    record = server.requests[0]
    query = parse_qs(urlsplit(record.path).query)
    assert query["X-Amz-Security-Token"] == ["t/+="]
    assert query["X-Amz-SignedHeaders"] == ["host;x-amz-request-payer"]
    assert (record.headers["x-amz-request-payer"], record.headers["x-other"]) == ("requester", "1")


def test_signed_headers_are_accepted_by_the_real_server(s3: S3Server, an_s3_source: MakeSource) -> None:
    spec = s3.spec("images", "disk.img", headers=("x-amz-request-payer: requester",))
    assert an_s3_source(spec).probe().size == len(DATA)


def test_neither_secret_nor_signature_is_in_a_fault(server: FaultServer, an_s3_source: MakeSource) -> None:
    server.add("/images/disk.img", Route(status=403, status_body=an_error("AccessDenied")))
    fault = refusal_of(an_s3_source(at(server, session_token="the-token")))
    shown = f"{fault.message} {fault.values}"
    assert not [word for word in (SECRET_KEY, "the-token", "X-Amz", "Signature=") if word in shown]


# --- signatures end ---------------------------------------------------------------------------------------------------


def test_an_import_outlives_its_signature(s3: S3Server, an_s3_source: MakeSource, read: Read) -> None:
    """The server refuses a signature after two seconds; reading goes on for five."""
    source = an_s3_source(s3.spec("images", "disk.img"), lifetime_s=2)
    source.probe()
    end_s = time.monotonic() + 5
    while time.monotonic() < end_s:
        assert read(source.open(MiB, 64 * KiB)) == DATA[MiB : MiB + 64 * KiB]


def test_a_signature_is_used_until_four_fifths_of_its_lifetime(server: FaultServer, an_s3_source: MakeSource) -> None:
    server.add("/images/disk.img", Route(DATA))
    source = an_s3_source(at(server), lifetime_s=3600)
    source.probe()
    for offset in range(5):
        source.open(offset, 1).close()
    assert len(set(signatures_of(server))) == 1


def test_a_refused_signature_is_renewed_and_the_read_goes_on(
    server: FaultServer, an_s3_source: MakeSource, read: Read
) -> None:
    server.add("/images/disk.img", Route(DATA))
    source = an_s3_source(at(server), lifetime_s=3600)
    source.probe()
    server.add("/images/disk.img", Route(DATA, first=(1, 403), status_body=an_error("AccessDenied")))
    assert read(source.open(MiB, 9)) == DATA[MiB : MiB + 9]
    assert server.statuses() == [206, 403, 206]


def test_a_refusal_that_stays_costs_one_renewal(server: FaultServer, an_s3_source: MakeSource) -> None:
    server.add("/images/disk.img", Route(DATA))
    source = an_s3_source(at(server), lifetime_s=3600)
    source.probe()
    server.add("/images/disk.img", Route(status=403, status_body=an_error("ExpiredToken")))
    with pytest.raises(Fault) as caught:
        source.open(MiB, 9)
    assert (caught.value.code, caught.value.values["s3code"]) == ("S3Refused", "ExpiredToken")
    assert server.statuses() == [206, 403, 403]


# --- the service refuses or fails -------------------------------------------------------------------------------------


def test_a_refused_probe_costs_one_request(server: FaultServer, an_s3_source: MakeSource) -> None:
    server.add("/images/disk.img", Route(status=403, status_body=an_error("AccessDenied")))
    refusal_of(an_s3_source(at(server)))
    assert server.statuses() == [403]


def test_slow_down_is_transient_and_the_next_read_succeeds(
    server: FaultServer, an_s3_source: MakeSource, read: Read
) -> None:
    server.add("/images/disk.img", Route(DATA))
    source = an_s3_source(at(server))
    source.probe()
    slow = Route(DATA, first=(1, 503), status_body=an_error("SlowDown"), headers={"Retry-After": "2"})
    server.add("/images/disk.img", slow)
    with pytest.raises(Fault) as caught:
        source.open(MiB, 9)
    assert (caught.value.code, caught.value.permanent) == ("S3Unavailable", False)
    assert (caught.value.values["s3code"], caught.value.values["retry_after_s"]) == ("SlowDown", 2.0)
    assert read(source.open(MiB, 9)) == DATA[MiB : MiB + 9]


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (301, {"x-amz-bucket-region": "eu-north-1"}, an_error("PermanentRedirect")),
        (400, {}, an_error("AuthorizationQueryParametersError", "<Region>eu-north-1</Region>")),
        (400, {}, an_error("AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>")),
    ],
)
def test_a_wrong_region_is_corrected_once(
    server: FaultServer, an_s3_source: MakeSource, status: int, headers: dict[str, str], body: bytes
) -> None:
    route = Route(DATA, first=(1, status), status_body=body, headers=headers)
    server.add("/images/disk.img", route)
    source = an_s3_source(at(server, region="us-west-2"))
    assert source.probe().etag == etag_of(DATA)
    regions = [parse_qs(urlsplit(r.path).query)["X-Amz-Credential"][0].split("/")[2] for r in server.requests]
    assert regions == ["us-west-2", "eu-north-1"]


def test_a_service_that_keeps_naming_regions_is_asked_twice(server: FaultServer, an_s3_source: MakeSource) -> None:
    body = an_error("PermanentRedirect", "<Region>eu-north-1</Region>")
    server.add("/images/disk.img", Route(status=301, status_body=body))
    fault = refusal_of(an_s3_source(at(server)))
    assert fault.what.startswith("S3 refused bucket images, key disk.img (region eu-north-1): PermanentRedirect")
    assert server.statuses() == [301, 301]


def test_a_region_that_the_real_server_refuses_is_told(s3: S3Server, an_s3_source: MakeSource) -> None:
    fault = refusal_of(an_s3_source(s3.spec("images", "disk.img", region="eu-central-1")))
    assert fault.code == "S3Refused"
    assert 'the region "eu-central-1" is wrong; expecting "us-east-1"' in fault.what


def interrupt_when(server: FaultServer, sent: int, source: S3Source) -> threading.Thread:
    """Interrupts ``source`` once ``server`` has sent so many bytes of bodies."""

    def wait() -> None:
        server.wait_for_bytes(sent)
        source.interrupt()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_an_interrupt_ends_a_blocked_read(server: FaultServer, an_s3_source: MakeSource, read: Read) -> None:
    server.add("/images/disk.img", Route(DATA))
    source = an_s3_source(at(server, stall_timeout_s=30.0))
    source.probe()
    server.add("/images/disk.img", Route(DATA, stall_at={1: 1000}))
    stopper = interrupt_when(server, HEAD_SIZE + 1000, source)
    with pytest.raises(Fault) as caught:
        read(source.open(0, MiB))
    stopper.join()
    assert caught.value.code == "Cancelled"


def test_an_interrupt_ends_the_wait_for_credentials(
    other_server: FaultServer, an_s3_source: MakeSource, tmp_path: Path
) -> None:
    sts = other_server.add("/", Route(b"<never complete>", stall_at={1: 5}))
    source = an_s3_source(at(other_server, user="", password="", environ=a_web_identity(tmp_path, sts)))
    stopper = interrupt_when(other_server, 5, source)
    fault = refusal_of(source)
    stopper.join()
    assert fault.code == "Cancelled"
