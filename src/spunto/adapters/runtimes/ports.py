"""Ports of containers: connects in the container's own network where the agent may go there, and sees who listens."""

import asyncio
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal
from spunto.adapters.runtimes.namespaces import (
    Doorway,
    Namespace,
    NamespaceClosed,
    may_enter_namespaces,
    open_namespace,
    sees_processes_of,
)
from spunto.adapters.runtimes.proc_net import ports_of
from spunto.adapters.runtimes.socket_connection import SocketConnection
from spunto.core.executor.listening_port import ListeningPort
from spunto.core.executor.port_connection import PortRefused, PortUnreachable
from spunto.core.executor.runtime import ContainerGone, ContainerNotRunning

KEPT_SECONDS = 5.0
_AT_ADDRESS = "of the worker's address; this node's agent may not reach what listens on its loopback alone"
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


@dataclass(slots=True, kw_only=True, eq=False)
class _Place:
    """Where a running container is; without a namespace only its addresses lead to it. `users` are on their way."""

    namespace: Namespace | None
    addresses: tuple[tuple[int, str], ...]
    users: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def still_holds(self) -> bool:
        return self.namespace is None or self.namespace.is_alive

    def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.namespace is not None:
            self.namespace.close()

    def ways(self) -> Iterator[tuple[int, str]]:
        if self.namespace is not None:
            yield from _LOOPBACK
        yield from self.addresses


@dataclass(slots=True, weakref_slot=True, kw_only=True, eq=False)
class _Look:
    """At one name; `changes` counts what has happened meanwhile to what it means."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    changes: int = 0


class Ports:
    """The engine is asked once in a while, not for each connection."""

    def __init__(self, engine: EngineSocket) -> None:
        self._engine = engine
        url = urlsplit(engine.url)
        self._socket_path = url.path if url.scheme == "unix" else None
        self._doorway = Doorway()
        self._places: dict[str, _Place] = {}
        self._known: set[_Place] = set()
        self._looks: WeakValueDictionary[str, _Look] = WeakValueDictionary()

    async def connect(self, name: str, port: int) -> SocketConnection:
        """Raises ContainerGone, ContainerNotRunning, PortRefused, PortUnreachable, EngineUnavailable."""
        place = self._place(name) or await self._looked_up(name)
        place.users += 1
        try:
            return await SocketConnection.on(await self._found(place, port))
        finally:
            place.users -= 1

    async def listening(self, name: str) -> Sequence[ListeningPort] | None:
        """None where the container's processes are not seen.

        Raises ContainerGone, ContainerNotRunning, EngineUnavailable.
        """
        inspected = await self._inspect(name)
        pid = inspected["State"]["Pid"]
        try:
            namespace = open_namespace(pid, inspected["Id"])
        except NamespaceClosed:
            return None
        try:
            found = await asyncio.to_thread(_seen, pid)
            if not namespace.is_alive:
                raise ContainerNotRunning(name)
            return found
        finally:
            namespace.close()

    @cached_property
    def include_loopback(self) -> bool:
        """Whether the agent may go into containers' networks, as far as it can tell before it does."""
        if self._socket_path is None or not self._may_enter:
            return False
        try:
            return sees_processes_of(self._socket_path)
        except OSError:
            return False

    @cached_property
    def _may_enter(self) -> bool:
        return may_enter_namespaces()

    @contextmanager
    def changing(self, *names: str) -> Iterator[None]:
        """Forget where their containers are, before and after what changes that."""
        self._forget(names)
        try:
            yield
        finally:
            self._forget(names)

    def close(self) -> None:
        for place in self._known:
            place.close()
        self._known.clear()
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
            raise PortRefused(port) if place.namespace is not None else PortRefused(port, _AT_ADDRESS)
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

    def _place(self, name: str) -> _Place | None:
        place = self._places.get(name)
        return place if place is not None and place.still_holds else None

    async def _looked_up(self, name: str) -> _Place:
        """Of many that ask at once one looks. What has changed meanwhile is looked at again."""
        look = self._looks.setdefault(name, _Look())
        async with look.turn:
            while (place := self._place(name)) is None:
                changes = look.changes
                inspected = await self._inspect(name)
                if look.changes == changes:
                    return self._placed(name, inspected)
        return place

    def _placed(self, name: str, inspected: Mapping[str, Any]) -> _Place:
        namespace: Namespace | None = None
        if self._may_enter:
            with suppress(NamespaceClosed):
                namespace = open_namespace(inspected["State"]["Pid"], inspected["Id"])
        place = self._places[name] = _Place(namespace=namespace, addresses=tuple(_addresses(inspected)))
        self._let_go_later(name, place)
        return place

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            if (look := self._looks.get(name)) is not None:
                look.changes += 1
            place = self._places.pop(name, None)
            if place is not None and not place.users:
                self._let_go(name, place)

    def _let_go_later(self, name: str, place: _Place) -> None:
        self._known.add(place)
        place.timer = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._let_go, name, place)

    def _let_go(self, name: str, place: _Place) -> None:
        if self._places.get(name) is place:
            del self._places[name]
        if place.users:
            self._let_go_later(name, place)
        else:
            self._known.discard(place)
            place.close()

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


def _seen(pid: int) -> Sequence[ListeningPort] | None:
    with suppress(OSError):
        return ports_of(pid)
    return None


def _addresses(inspected: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for network in (inspected.get("NetworkSettings", {}).get("Networks") or {}).values():
        if network.get("IPAddress"):
            yield socket.AF_INET, network["IPAddress"]
        if network.get("GlobalIPv6Address"):
            yield socket.AF_INET6, network["GlobalIPv6Address"]
