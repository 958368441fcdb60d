from __future__ import annotations

from multidict import CIMultiDict

from uploadproxy.proxy.headers import back, there


def test_what_belongs_to_one_hop_is_not_passed_on() -> None:
    sent = CIMultiDict(
        {
            "Authorization": "Bearer t",
            "Connection": "keep-alive, X-Mine",
            "X-Mine": "1",
            "Host": "proxy",
            "Content-Length": "4",
            "Transfer-Encoding": "chunked",
            "Expect": "100-continue",
            "Upgrade": "websocket",
            "TE": "trailers",
            "Cookie": "a=b",
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "gzip",
            "Upload-Offset": "7",
        }
    )
    assert dict(there(sent, "10.0.0.9")) == {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "gzip",
        "Upload-Offset": "7",
        "X-Forwarded-For": "10.0.0.9",
    }


def test_clients_behind_other_proxies_are_named_in_order() -> None:
    assert there(CIMultiDict({"X-Forwarded-For": "1.2.3.4"}), "10.0.0.9")["X-Forwarded-For"] == "1.2.3.4, 10.0.0.9"


def test_an_answer_keeps_what_it_says_but_for_cors_and_cookies() -> None:
    said = {
        "Content-Type": "text/plain",
        "Content-Length": "3",
        "Upload-Offset": "7",
        "Set-Cookie": "a=b",
        "Access-Control-Allow-Origin": "x",
        "Vary": "Accept",
        "Connection": "close",
    }
    assert dict(back(CIMultiDict(said))) == {"Content-Type": "text/plain", "Content-Length": "3", "Upload-Offset": "7"}


def test_every_line_that_names_headers_of_one_hop_counts() -> None:
    sent = CIMultiDict([("Connection", "close"), ("Connection", "X-Mine"), ("X-Mine", "1"), ("X-Other", "2")])
    assert set(there(sent, "10.0.0.9")) == {"X-Other", "X-Forwarded-For"}
