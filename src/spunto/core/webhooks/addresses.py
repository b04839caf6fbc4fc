"""Where webhooks may be sent: to the public internet alone, and to networks that the operator has named.

Whoever may make a webhook chooses where this server connects to; without this rule they would reach what only the
server reaches: itself, its network, and the cloud's metadata services.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

# https://www.iana.org/assignments/iana-ipv4-special-registry, with multicast and what is reserved. Python's own
# `is_global` differs from release to release, and takes multicast for global.
_NOT_GLOBAL_4: Final = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        # Also the metadata services of most clouds.
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # Azure's own services, which answer the machines they are asked from.
        "168.63.129.16/32",
    )
)
_GLOBAL_6: Final = IPv6Network("2000::/3")
# https://www.iana.org/assignments/iana-ipv6-special-registry. 6to4 and Teredo wrap other addresses; the mapped,
# compatible and NAT64 forms lie outside 2000::/3 as it is.
_NOT_GLOBAL_6: Final = tuple(
    IPv6Network(each)
    for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class AddressRule:
    """`networks` are those that the operator allows beside the public internet, and to which plain http may go."""

    networks: Sequence[Network] = ()

    def allows(self, address: Address, *, plain: bool) -> bool:
        """Whether a request may go there; `plain` for one without TLS."""
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return False
        if any(address in network for network in self.networks):
            return True
        return not plain and is_global(address)

    @property
    def takes_plain(self) -> bool:
        """Whether there is any address that plain http may go to."""
        return bool(self.networks)


def is_global(address: Address) -> bool:
    """Whether it is one machine's, and the same one from everywhere."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_GLOBAL_4)
    return address in _GLOBAL_6 and not any(address in network for network in _NOT_GLOBAL_6)


def parsed_address(text: str) -> Address | None:
    """None for what is no address as it is usually written."""
    try:
        return ip_address(text)
    except ValueError:
        return None
