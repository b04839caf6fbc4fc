"""Which subnet the next worker's network gets out of the node's pool."""

from collections.abc import Iterable
from ipaddress import IPv4Network

PREFIX_LENGTH = 28


def next_free_subnet(pool: IPv4Network, used: Iterable[IPv4Network]) -> IPv4Network | None:
    """The lowest /28 of the pool that overlaps with nothing in use, ours or foreign; None when the pool is full."""
    size = 2 ** (32 - PREFIX_LENGTH)
    candidate = int(pool.network_address)
    for network in sorted(used):
        first, last = int(network.network_address), int(network.broadcast_address)
        if last < candidate:
            continue
        if first >= candidate + size:
            break
        candidate = (last // size + 1) * size
    if candidate + size - 1 > int(pool.broadcast_address):
        return None
    return IPv4Network((candidate, PREFIX_LENGTH))
