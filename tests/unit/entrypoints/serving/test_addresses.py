"""Whose request it is: what proxies say, and what anybody may write."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from spunto.entrypoints.serving.addresses import ClientAddresses
from spunto.entrypoints.serving.peers import DIRECT_HEADER, UNKNOWN

NOBODY = ClientAddresses()
BEHIND_TWO = ClientAddresses([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def forwarded(*values: str) -> Headers:
    return Headers([("X-Forwarded-For", value) for value in values])


@pytest.mark.parametrize(
    ("peer", "said", "counted"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("::ffff:192.0.2.1", (), "192.0.2.1"),
        ("2001:db8:0:1:a:b:c:d", (), "2001:db8:0:1::/64"),
        ("2001:db8:0:1::1%eth0", (), "2001:db8:0:1::/64"),
        ("10.0.0.1", ("203.0.113.7",), "203.0.113.7"),
        ("10.0.0.1", ("203.0.113.7:4711",), "203.0.113.7"),
        ("10.0.0.1", ("[2001:db8::1]:4711",), "2001:db8::/64"),
        ("fd00::1", ("203.0.113.7", "10.0.0.2"), "203.0.113.7"),
        ("10.0.0.1", ("203.0.113.7, 10.0.0.2",), "203.0.113.7"),
        # What stands left of the first stranger is the stranger's own invention.
        ("10.0.0.1", ("127.0.0.1, 198.51.100.9",), "198.51.100.9"),
        ("10.0.0.1", ("10.9.9.9, 198.51.100.9, 10.0.0.2",), "198.51.100.9"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.9, nonsense, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", (), "10.0.0.1"),
        # Not one of ours: its word counts nothing.
        ("198.51.100.9", ("203.0.113.7",), "198.51.100.9"),
        (None, ("203.0.113.7",), UNKNOWN),
        ("<local>", (), UNKNOWN),
    ],
)
def test_the_nearest_that_is_no_proxy_of_ours_counts(peer: str | None, said: tuple[str, ...], counted: str) -> None:
    assert BEHIND_TWO.of(peer, forwarded(*said)) == counted


@given(st.lists(st.text(alphabet="0123456789abcdef.:[], "), max_size=5))
def test_without_trusted_proxies_no_header_changes_anything(said: list[str]) -> None:
    assert NOBODY.of("192.0.2.1", forwarded(*said)) == "192.0.2.1"


@given(st.lists(st.text(alphabet="0123456789abcdef.:[] "), max_size=5))
def test_what_a_client_writes_before_its_proxy_changes_nothing(said: list[str]) -> None:
    headers = forwarded(*said, "198.51.100.9")

    assert BEHIND_TWO.of("10.0.0.1", headers) == "198.51.100.9"


@pytest.mark.parametrize(
    ("clients", "peer", "headers", "is_direct"),
    [
        (NOBODY, "127.0.0.1", {}, True),
        (NOBODY, "::1", {}, True),
        (NOBODY, "192.0.2.1", {}, False),
        (NOBODY, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        (NOBODY, "127.0.0.1", {"Via": "1.1 proxy"}, False),
        (BEHIND_TWO, "127.0.0.1", {}, False),
        (NOBODY, None, {}, False),
    ],
)
def test_this_machine_itself_is_known_only_without_proxies(
    clients: ClientAddresses, peer: str | None, headers: dict[str, str], is_direct: bool
) -> None:
    assert clients.is_direct_loopback(peer, Headers(headers)) is is_direct


@pytest.mark.parametrize(
    ("headers", "counted", "direct"),
    [
        ({"X-Forwarded-For": "203.0.113.7"}, "203.0.113.7", False),
        ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", False),
        ({"X-Forwarded-For": "127.0.0.1", DIRECT_HEADER: "1"}, "127.0.0.1", True),
        ({DIRECT_HEADER: "1"}, UNKNOWN, False),
    ],
)
def test_an_edge_on_this_machine_says_who_its_client_is(headers: dict[str, str], counted: str, direct: bool) -> None:
    behind = ClientAddresses(is_behind_edge=True)

    assert (behind.of("<local>", Headers(headers)), behind.is_direct_loopback("<local>", Headers(headers))) == (
        counted,
        direct,
    )


def test_an_address_of_the_network_is_no_edge_of_this_machine() -> None:
    behind = ClientAddresses(is_behind_edge=True)

    assert behind.of("198.51.100.9", forwarded("203.0.113.7")) == "198.51.100.9"
