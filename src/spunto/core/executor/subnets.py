"""Which subnet the next network gets out of the node's pool, and what was learnt of those that it can't get."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from spunto.core.executor.runtime import ContainerRuntime, Network, SubnetTaken
from spunto.core.kernel.errors import Conflict

PREFIX_LENGTH = 28
_SUBNET_TRIES = 64
"""For one network. What they taught is remembered, so that the next one goes on from there."""


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


def _around(subnet: IPv4Network, pool: IPv4Network, *, doublings: int) -> IPv4Network:
    return subnet.supernet(new_prefix=max(pool.prefixlen + 1, subnet.prefixlen - doublings))


class Subnets:
    """The subnets in use as last listed, so that a spawn does not ask the engine for them."""

    def __init__(self, runtime: ContainerRuntime, pool: IPv4Network) -> None:
        self._runtime = runtime
        self._pool = pool
        self._listed: dict[str, IPv4Network] = {}
        self._taken: dict[str, IPv4Network] = {}
        self._refused: set[IPv4Network] = set()
        self._evaded: set[IPv4Network] = set()

    async def refresh(self) -> None:
        networks = await self._runtime.list_networks()
        self._listed = {network.name: IPv4Network(network.subnet, strict=False) for network in networks}

    async def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Make the network with a subnet that is free; who else takes subnets of the pool is evaded."""
        for refusals in range(_SUBNET_TRIES):
            subnet = self._take(name)
            try:
                await self._runtime.ensure_network(Network(name=name, subnet=str(subnet), labels=labels))
            except SubnetTaken:
                # The engine may refuse what it does not list, such as a route of the machine or another engine's
                # networks. Those stand side by side, so that each refusal in a row evades twice as much.
                self._refused.add(subnet)
                self._evaded.add(_around(subnet, self._pool, doublings=refusals))
                self._release(name)
                await self.refresh()
                continue
            except BaseException:
                self._release(name)
                raise
            self._listed[name] = self._taken.pop(name)
            return
        raise Conflict("subnet_taken", f"Others take the subnets of the node's pool {self._pool}; give it another one.")

    async def remove_network(self, name: str) -> None:
        await self._runtime.remove_network(name)
        self._release(name)

    def _take(self, name: str) -> IPv4Network:
        subnet = self._listed.get(name)
        if subnet is None:
            used = (*self._listed.values(), *self._taken.values(), *self._refused)
            subnet = next_free_subnet(self._pool, (*used, *self._evaded)) or next_free_subnet(self._pool, used)
        if subnet is None:
            self._refused.clear()
            self._evaded.clear()
            raise Conflict(
                "no_free_subnet", f"No subnet is left in the node's pool {self._pool}; give it a larger one."
            )
        self._taken[name] = subnet
        return subnet

    def _release(self, name: str) -> None:
        self._taken.pop(name, None)
        self._listed.pop(name, None)
