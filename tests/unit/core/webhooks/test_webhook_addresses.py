"""Where webhooks may be sent: nothing but the public internet, in whatever way an address is written."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis.strategies import integers, ip_addresses

from spunto.core.kernel.errors import Invalid
from spunto.core.webhooks.addresses import AddressRule, is_global
from spunto.core.webhooks.urls import host_of, require_url

PUBLIC = AddressRule()
OWN = AddressRule([ip_network("10.1.0.0/16"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_not_the_public_internet_is_refused(address: str) -> None:
    assert not PUBLIC.allows(ip_address(address), plain=False)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111"]
)
def test_the_public_internet_is_allowed_by_https_alone(address: str) -> None:
    assert PUBLIC.allows(ip_address(address), plain=False)
    assert not PUBLIC.allows(ip_address(address), plain=True)


def test_an_operator_s_networks_are_allowed_also_by_http_and_nothing_else_is() -> None:
    assert OWN.allows(ip_address("10.1.2.3"), plain=True)
    assert OWN.allows(ip_address("fd12::1"), plain=False)
    assert OWN.allows(ip_address("8.8.8.8"), plain=False)
    for address in ("10.2.0.1", "127.0.0.1", "::ffff:10.1.2.3", "fd12::1%eth0"):
        assert not OWN.allows(ip_address(address), plain=False)


@given(ip_addresses(v=4))
def test_nothing_that_the_standard_library_calls_local_is_global(address: IPv4Address) -> None:
    if is_global(address):
        assert address.is_global
        assert not any((address.is_private, address.is_multicast, address.is_reserved, address.is_link_local))


@given(ip_addresses(v=6))
def test_nor_is_any_of_the_other_family(address: IPv6Address) -> None:
    if is_global(address):
        assert address.is_global
        assert not any((address.is_private, address.is_multicast, address.is_reserved, address.is_site_local))
        assert (address.ipv4_mapped, address.sixtofour, address.teredo) == (None, None, None)


@given(integers(0, 2**32 - 1))
def test_no_way_to_wrap_an_address_into_another_one_gets_through(wrapped: int) -> None:
    forms = (
        wrapped,
        0xFFFF << 32 | wrapped,
        0xFFFF << 48 | wrapped,
        0x0064FF9B << 96 | wrapped,
        0x2002 << 112 | wrapped << 80,
        0x20010000 << 96 | (wrapped ^ 0xFFFFFFFF),
    )

    assert [form for form in forms if is_global(IPv6Address(form))] == []


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org",
        "https://hooks.example.org:8443/a/b?c=d&e=%20",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_a_receiver_s_address_is_taken(url: str) -> None:
    require_url(url, PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://hooks.example.org/",
        "https://",
        "https:///path",
        "https://user@hooks.example.org/",
        "https://user:word@hooks.example.org/",
        "https://hooks.example.org/#there",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org:x/",
        "https://hooks.example.org\\@10.0.0.1/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\n",
        "https://bücher.example/",
        "https://[::1",
        f"https://hooks.example.org/{'x' * 2000}",
    ],
)
def test_what_is_no_receiver_s_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        require_url(url, PUBLIC)

    assert caught.value.code == "webhook_url_invalid"


@pytest.mark.parametrize(
    "url", ["http://hooks.example.org/", "https://127.0.0.1/", "https://[::1]:8000/", "https://[::ffff:8.8.8.8]/"]
)
def test_an_address_that_is_never_sent_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        require_url(url, PUBLIC)

    assert caught.value.code == "webhook_url_not_allowed"


def test_http_is_taken_where_the_operator_allows_networks() -> None:
    require_url("http://hooks.internal/", OWN)
    require_url("http://10.1.0.1/", OWN)
    with pytest.raises(Invalid):
        require_url("http://8.8.8.8/", OWN)


def test_of_a_url_only_the_host_is_told() -> None:
    assert host_of("https://hooks.example.org:8443/secret?token=secret") == "hooks.example.org"
