"""A TCP port on which something in a container listens, as every engine tells it."""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningPort:
    """`address` is the one that it is bound to. `process` is its name, None where nobody can tell."""

    port: int
    address: str
    process: str | None

    @property
    def is_loopback(self) -> bool:
        """Whether it is bound to the container's loopback, where only what goes into its network gets to it."""
        address = ip_address(self.address)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback
