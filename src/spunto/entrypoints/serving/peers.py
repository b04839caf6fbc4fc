"""Addresses of peers, and who is counted behind one."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

UNKNOWN: Final = "unknown"
# Whoever has one IPv6 address has the other 2**64 of its network as well.
IPV6_PREFIX: Final = 64


def counted(address: IPv4Address | IPv6Address | None) -> str:
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), IPV6_PREFIX), strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def counted_peer(peer: str | None) -> str:
    return counted(parsed_address(peer or ""))


def parsed_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, also with a port, as some proxies write it; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
