"""Connects to ports of containers: in the container's own network where the agent may go there, else at its address."""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal
from spunto.adapters.runtimes.namespaces import Doorway, Namespace, NamespaceClosed, open_namespace
from spunto.adapters.runtimes.socket_connection import SocketConnection
from spunto.core.executor.port_connection import PortRefused, PortUnreachable
from spunto.core.executor.runtime import ContainerGone, ContainerNotRunning

KEPT_SECONDS = 5.0
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


@dataclass(slots=True, kw_only=True, eq=False)
class _Place:
    """Where a running container is; without a namespace only its addresses lead to it. `users` are on their way."""

    namespace: Namespace | None
    addresses: tuple[tuple[int, str], ...]
    users: int = 0

    @property
    def still_holds(self) -> bool:
        return self.namespace is None or self.namespace.is_alive

    def ways(self) -> Iterator[tuple[int, str]]:
        if self.namespace is not None:
            yield from _LOOPBACK
        yield from self.addresses


class Ports:
    """The engine is asked once in a while, not for each connection."""

    def __init__(self, engine: EngineSocket) -> None:
        self._engine = engine
        self._doorway = Doorway()
        self._places: dict[str, _Place] = {}

    async def connect(self, name: str, port: int) -> SocketConnection:
        """Raises ContainerGone, ContainerNotRunning, PortRefused, PortUnreachable, EngineUnavailable."""
        place = self._places.get(name)
        if place is None or not place.still_holds:
            place = await self._place_of(name)
        place.users += 1
        try:
            return await SocketConnection.on(await self._found(place, port))
        finally:
            place.users -= 1

    def forget(self, name: str) -> None:
        """The name is about to mean another container."""
        self._places.pop(name, None)

    def close(self) -> None:
        self._places.clear()
        self._doorway.close()

    async def _found(self, place: _Place, port: int) -> socket.socket:
        trouble = "the container has no address"
        is_refused = False
        for family, address in place.ways():
            try:
                return await self._connected(place, family, address, port)
            except ConnectionRefusedError:
                is_refused = True
            except (OSError, NamespaceClosed) as error:
                trouble = str(error)
        if is_refused:
            raise PortRefused(port)
        raise PortUnreachable(port, trouble)

    async def _connected(self, place: _Place, family: int, address: str, port: int) -> socket.socket:
        if place.namespace is None:
            made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        else:
            made = await self._doorway.socket_in(place.namespace, family)
        try:
            await asyncio.get_running_loop().sock_connect(made, (address, port))
            # Where nobody listens, a socket that was given this very port for its own would meet itself.
            if made.getsockname() == made.getpeername():
                raise ConnectionRefusedError
        except BaseException:
            made.close()
            raise
        return made

    async def _place_of(self, name: str) -> _Place:
        inspected = await self._inspect(name)
        namespace: Namespace | None = None
        # Without the right or the sight the address has to do; a process that ended is noticed by the next look.
        with suppress(NamespaceClosed, ProcessLookupError, FileNotFoundError):
            namespace = open_namespace(inspected["State"]["Pid"])
        try:
            if namespace is not None and (await self._inspect(name))["State"]["Pid"] != inspected["State"]["Pid"]:
                raise ContainerNotRunning(name)
        except BaseException:
            if namespace is not None:
                namespace.close()
            raise
        place = self._places[name] = _Place(namespace=namespace, addresses=tuple(_addresses(inspected)))
        self._let_go_later(name, place)
        return place

    def _let_go_later(self, name: str, place: _Place) -> None:
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._let_go, name, place)

    def _let_go(self, name: str, place: _Place) -> None:
        if self._places.get(name) is place:
            del self._places[name]
        if place.users:
            self._let_go_later(name, place)
        elif place.namespace is not None:
            place.namespace.close()

    async def _inspect(self, name: str) -> Mapping[str, Any]:
        try:
            inspected: Mapping[str, Any] = await self._engine.call("GET", f"containers/{name}/json")
        except Refusal as refusal:
            if refusal.status == 404:
                raise ContainerGone(name) from refusal
            raise
        if not inspected["State"].get("Running") or not inspected["State"].get("Pid"):
            raise ContainerNotRunning(name)
        return inspected


def _addresses(inspected: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for network in (inspected.get("NetworkSettings", {}).get("Networks") or {}).values():
        if network.get("IPAddress"):
            yield socket.AF_INET, network["IPAddress"]
        if network.get("GlobalIPv6Address"):
            yield socket.AF_INET6, network["GlobalIPv6Address"]
