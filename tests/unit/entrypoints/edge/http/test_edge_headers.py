"""What passes the edge, to a worker and from one."""

import base64

import pytest

from spunto.entrypoints.edge.http.headers import from_worker, is_about_the_client, passing, passing_trailers, to_worker
from spunto.entrypoints.edge.seams import Headers, RequestHead

TOLD = [
    (b"x-forwarded-for", b"1.2.3.4"),
    (b"x-forwarded-host", b"a.example"),
    (b"x-forwarded-proto", b"https"),
    (b"x-real-ip", b"1.2.3.4"),
]
TOKEN = b"A" * 43


def to_a_worker(*headers: tuple[bytes, bytes]) -> Headers:
    request = RequestHead(
        method=b"GET",
        target=b"/",
        version=b"1.1",
        headers=headers,
        host="a.example",
        peer="9.9.9.9",
        is_tls=False,
        wants_upgrade=False,
    )
    *own, a, b, c, d = to_worker(request, client="1.2.3.4", scheme="https")
    assert [a, b, c, d] == TOLD
    return own


def test_what_concerns_one_connection_does_not_pass() -> None:
    headers = [
        (b"connection", b"close, X-Mine ,host"),
        (b"connection", b"x-other"),
        (b"keep-alive", b"timeout=5"),
        (b"te", b"trailers"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"5"),
        (b"upgrade", b"websocket"),
        (b"proxy-authorization", b"x"),
        (b"proxy-connection", b"x"),
        (b"x-mine", b"1"),
        (b"x-other", b"2"),
        (b"host", b"a"),
        (b"trailer", b"x-sum"),
        (b"x-kept", b""),
    ]

    assert passing(headers) == [(b"host", b"a"), (b"trailer", b"x-sum"), (b"x-kept", b"")]


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-for",
        b"x-forwarded",
        b"x_forwarded_for",
        b"x.forwarded.host",
        b"x-forwarded-client-cert",
        b"forwarded",
        b"x-real-ip",
        b"x_real_ip",
        b"x-spunto-actor",
        b"x_spunto.actor",
        b"spunto-authorization",
        b"spunto_authorization",
        b"content_length",
        b"transfer.encoding",
        b"x-forwarded-\xff",
    ],
)
def test_nobody_else_says_who_asks(name: bytes) -> None:
    assert is_about_the_client(name)
    assert to_a_worker((name, b"x"), (b"accept", b"y"))[-1] == (b"accept", b"y")


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (b"a=b", b"a=b"),
        (b"a=b; spw=x; c=d", b"a=b; c=d"),
        (b"spn=x", None),
        (b"__Host-spw=x;a=b", b"a=b"),
        (b"__host-SPx=1; a", b"a"),
        (b"session=sps_" + TOKEN, None),
        (b'other="sps_' + TOKEN + b'"', None),
        (b"session=eyJfZnJlc2giOmZhbHNlfQ.abc.def", b"session=eyJfZnJlc2giOmZhbHNlfQ.abc.def"),
        (b"spwx=1; xspw=2", b"spwx=1; xspw=2"),
        (b"sps_short=1; a=sps_no", b"sps_short=1; a=sps_no"),
        (b"spw ; a=b", b"a=b"),
        (b"spw =x; a=b", b"a=b"),
    ],
)
def test_no_cookie_of_ours_reaches_a_worker(sent: bytes, passed: bytes | None) -> None:
    assert to_a_worker((b"cookie", sent)) == ([] if passed is None else [(b"cookie", passed)])


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        (b"Bearer spk_" + TOKEN, False),
        (b"bearer  spn_" + TOKEN, False),
        (b" BEARER\tsps_" + TOKEN, False),
        (b"Bearer sst_" + TOKEN, False),
        (b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", True),
        (b"spk_" + TOKEN, False),
        (b"Token spk_" + TOKEN, False),
        (b'Bearer "spk_' + TOKEN + b'"', False),
        (b"Bearer x, Bearer spk_" + TOKEN, False),
        (b"Digest username=x, response=sps_" + TOKEN, False),
        (b"Basic " + base64.b64encode(b"x:spk_" + TOKEN), False),
        (b"basic  " + base64.urlsafe_b64encode(b"\xff\xfe:sps_" + TOKEN).rstrip(b"="), False),
        (b"Basic " + base64.b64encode(b"sps_" + TOKEN + b":") + b" x", False),
        (b"Basic c3BrXzpzcGtf", True),
        (b"Basic c", True),
        (b"Basic !", True),
        (b"Bearer wasps_" + TOKEN, True),
        (b"Bearer spark_x", True),
    ],
)
def test_no_token_of_ours_reaches_a_worker(value: bytes, passes: bool) -> None:
    assert to_a_worker((b"authorization", value)) == ([(b"authorization", value)] if passes else [])


@pytest.mark.parametrize(
    ("name", "value", "passes"),
    [
        (b"set-cookie", b"a=b; Path=/; HttpOnly", True),
        (b"set-cookie", b"session=abc; Path=/", True),
        (b"set-cookie", b"a=b; Domain=w.localhost", False),
        (b"set-cookie", b"a=b;domain =.example", False),
        (b"set-cookie", b"a=b; \tDOMAIN", False),
        (b"set-cookie", b"a=domain; path=/domain", True),
        (b"set-cookie", b"spw=x; Path=/", False),
        (b"set-cookie", b" __Host-spn =x", False),
        (b"set-cookie", b"session=sps_" + TOKEN, False),
        (b"clear-site-data", b'"*"', False),
        (b"alt-svc", b"h3", False),
        (b"strict-transport-security", b"max-age=1", False),
        (b"public-key-pins", b"x", False),
        (b"service-worker-allowed", b"/", True),
        (b"service-worker-allowed", b"/.Spunto/", False),
        (b"content-security-policy", b"default-src 'self'", True),
    ],
)
def test_a_worker_harms_nobody_by_its_headers(name: bytes, value: bytes, passes: bool) -> None:
    assert from_worker([(name, value)]) == ([(name, value)] if passes else [])


def test_trailers_change_nothing_that_was_said_before() -> None:
    sent = [(b"x-sum", b"1"), (b"cookie", b"a"), (b"host", b"b"), (b"content-length", b"9"), (b"x_forwarded_for", b"c")]

    assert passing_trailers(sent) == [(b"x-sum", b"1")]
