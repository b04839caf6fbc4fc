"""A head that is too large, or none at all: a page for a person, who gets rid of the cookies that are too many."""

from collections.abc import AsyncIterator, Sequence

import pytest
from tests.unit.entrypoints.edge.house import House, a_house

from spunto.core.routes.hosts import Addresses
from spunto.entrypoints.edge import flooded
from spunto.entrypoints.edge.http.requests import MAX_HEAD_BYTES, TOO_LARGE, TOO_MANY, TOO_SLOW, glimpse, read_request
from spunto.entrypoints.edge.seams import Answer, RequestHead
from spunto.entrypoints.serving.heads import Fault

CHROMIUM = "User-Agent: x\r\nAccept: text/html,*/*\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
BOMB = "; ".join(f"c{number}={'x' * 4000}" for number in range(20))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


def seen(host: str, *, path: str = "/a/b?c", fields: str = CHROMIUM, cookie: str = BOMB) -> RequestHead:
    """What has come when it is too much."""
    raw = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Cookie: {cookie}\r\n\r\n".encode()
    found = glimpse(raw[: MAX_HEAD_BYTES + 100], "192.0.2.1", is_tls=False)
    assert found is not None
    return found


def shown(house: House, head: RequestHead, fault: Fault = TOO_LARGE) -> Answer:
    answer = house.gate.shown(head, fault)
    assert answer is not None
    assert dict(answer.headers)[b"content-type"] == b"text/html; charset=utf-8"
    return answer


def set_by(answer: Answer) -> Sequence[bytes]:
    return [value for name, value in answer.headers if name == b"set-cookie"]


async def test_at_a_worker_s_host_a_person_gets_rid_of_the_cookies_and_goes_on(house: House) -> None:
    host = house.host()

    answer = shown(house, seen(f"{host}:8000"))

    assert answer.status == 431
    for words in (b"Your browser sends too much", b"were removed just now", b'href="/a/b?c"'):
        assert words in answer.body
    ended = set_by(answer)
    assert ended[0] == b"c0=; Path=/; Max-Age=0"
    for where in ("", f"; Domain={host}", "; Domain=w.localhost"):
        for path in ("/", "/a", "/a/b"):
            assert f"c7=; Path={path}; Max-Age=0{where}".encode() in ended
    assert dict(answer.headers)[b"clear-site-data"] == b'"cookies"'
    assert sum(map(len, ended)) < 64 * 1024


@pytest.mark.parametrize("control", ["\n", "\r", "\0", "\x7f", "\x0b"])
async def test_nothing_of_an_unread_head_becomes_a_header_of_the_page(house: House, control: str) -> None:
    planted = f"x{control}X-Planted: 1{control}=1; php[a]=1; {BOMB}"

    answer = shown(house, seen(house.host(), cookie=planted))

    ended = set_by(answer)
    assert b"php[a]=; Path=/; Max-Age=0" in ended
    assert not any(control.encode() in value or b"Planted" in value for _, value in answer.headers)


def test_a_first_line_with_control_characters_is_none() -> None:
    for sign in (b"\n", b"\r", b"\0"):
        assert glimpse(b"GET /a%bSet-Cookie:x=1 HTTP/1.1\r\nHost: a\r\n\r\n" % sign, "192.0.2.1", is_tls=False) is None


async def test_a_program_and_a_page_s_script_get_a_problem(house: House) -> None:
    assert house.gate.shown(seen(house.host(), fields="Accept: */*\r\n"), TOO_LARGE) is None
    script = "Accept: text/html\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
    assert house.gate.shown(seen(house.host(), fields=script), TOO_LARGE) is None


@pytest.mark.parametrize("host", ["spunto.localhost:8000", "w.localhost", "elsewhere.example"])
async def test_elsewhere_no_cookie_is_taken_away(house: House, host: str) -> None:
    answer = shown(house, seen(host))

    assert (answer.status, set_by(answer), b"Remove this site" in answer.body) == (431, [], True)


async def test_whoever_only_sends_somebody_to_a_long_address_takes_no_cookies_away(house: House) -> None:
    answer = shown(house, seen(house.host(), path="/?" + "x" * 31_000, cookie="own=1"))

    assert (answer.status, set_by(answer), b"clear-site-data" in dict(answer.headers)) == (431, [], False)


async def test_every_other_refusal_of_a_head_is_a_page_too(house: House) -> None:
    for fault in (TOO_SLOW, TOO_MANY, Fault(status=500, code="internal_error", detail="It <broke>.")):
        answer = shown(house, seen(house.host(), cookie="own=1"), fault)
        assert (answer.status, set_by(answer)) == (fault.status, [])
    assert b"It &lt;broke&gt;." in answer.body


@pytest.mark.parametrize(
    ("base_domain", "app_url", "is_workers_alone"),
    [
        ("w.localhost", "http://spunto.localhost:8000", True),
        ("spunto-workers.dev", "https://spunto.dev", True),
        ("spunto.dev", "https://spunto.dev", False),
        ("spunto.dev", "https://app.spunto.dev", False),
        ("w.spunto.dev", "https://spunto.dev", False),
        ("w.example.co.uk", "https://spunto.dev", False),
    ],
)
def test_all_cookies_of_a_site_go_only_where_the_site_is_workers_alone(
    base_domain: str, app_url: str, is_workers_alone: bool
) -> None:
    addresses = Addresses(scheme="https", base_domain=base_domain)

    answer = flooded.refused_at_worker(seen("x"), TOO_LARGE, addresses=addresses, app_url=app_url)

    assert (b"clear-site-data" in dict(answer.headers)) is is_workers_alone
    assert all(each.endswith(b"; Secure") for each in set_by(answer))


def test_of_what_is_no_request_nothing_is_told() -> None:
    for raw in (b"", b"\x16\x03\x01", b"GET /\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n"):
        assert glimpse(raw, "192.0.2.1", is_tls=False) is None


def test_of_a_request_that_can_be_read_the_same_is_told() -> None:
    raw = b"GET /a HTTP/1.1\r\nHost: A:80\r\nAccept:  text/html \r\n\r\n"
    whole = read_request(raw, "192.0.2.1", is_tls=False)

    assert not isinstance(whole, Fault)
    assert glimpse(raw, "192.0.2.1", is_tls=False) == whole.head
