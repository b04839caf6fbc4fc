"""The edge's connection to its server: dialled again and again, it brings routes and answers questions."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Final, Protocol, TypeVar

from spunto.core.kernel.backoff import BackOff
from spunto.core.kernel.build import this_build
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Malformed, Unavailable
from spunto.core.kernel.log import Log
from spunto.core.protocol import closing
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import (
    Desired,
    EngineReport,
    Hello,
    Observed,
    Resources,
    StateMessage,
)
from spunto.core.protocol.stream import ConnectionLost
from spunto.core.protocol.transport import Transport
from spunto.core.routes.desired import EDGE_SESSION, KEY, SETTINGS, URL_LABEL, AddressesSpec, keys_of
from spunto.core.routes.fields import MAX_BYTES, Said, read, write
from spunto.entrypoints.edge.routes import RouteTable

CONNECT_PATH: Final = "/api/edge/connect"
ANSWER_SECONDS: Final = 10.0
_BACK_OFF: Final = BackOff(base_seconds=0.2, cap_seconds=4.0, least=0.2)
_REFUSED_SECONDS: Final = 30.0

Answer = TypeVar("Answer", bound=Said)

Dial = Callable[[], Awaitable[Transport]]
"""Connects to the server. Raises Unavailable."""


class Question(Said, Protocol):
    """One of the questions that the server answers, with the name of its stream."""

    name: ClassVar[str]


class ServerAway(Unavailable):
    """The server can't be asked now."""

    def __init__(self) -> None:
        super().__init__("server_away", "The server can't be asked now; try again shortly.", retry_after_seconds=2)


class ServerLink:
    """`run` is one of the edge's loops. What the server last told (`told`, None before) outlives the connection."""

    def __init__(self, dial: Dial, *, url: str, routes: RouteTable, clock: Clock, log: Log) -> None:
        self._dial = dial
        self._url = url
        self._routes = routes
        self._clock = clock
        self._log = log
        self._connection: Connection | None = None
        self.instance_id = secrets.token_hex(8)
        self.pass_keys: Sequence[bytes] = ()
        self.told: AddressesSpec | None = None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            begun = self._clock.monotonic()
            wait_seconds = await self._connect_once()
            failures = 0 if self._clock.monotonic() - begun > _REFUSED_SECONDS else failures + 1
            if wait_seconds is None:
                wait_seconds = _BACK_OFF.seconds(failures, jitter=random.random())  # noqa: S311 - no secret
            await self._clock.sleep(wait_seconds)

    async def ask(self, question: Question, wanted: type[Answer]) -> Answer:
        """The server's answer. Raises ServerAway, and Unavailable with what the server refused it by."""
        connection = self._connection
        if connection is None:
            raise ServerAway
        try:
            async with asyncio.timeout(ANSWER_SECONDS), connection.open(question.name, {}) as stream:
                await stream.write(write(question))
                await stream.write_eof()
                answer = bytearray()
                while (piece := await stream.read()) is not None and len(answer) <= MAX_BYTES:
                    answer += piece
        except (ConnectionLost, TimeoutError) as error:
            raise ServerAway from error
        try:
            return read(wanted, bytes(answer))
        except Malformed as error:
            raise ServerAway from error

    async def _connect_once(self) -> float | None:
        """How long to stay away when the server said so."""
        try:
            transport = await self._dial()
        except Unavailable as error:
            self._log("server_away", reason=error.message)
            return error.retry_after_seconds
        connection = Connection.agent(
            transport, clock=self._clock, hello=self._hello(), on_message=self._take_in, settings=EDGE_SESSION
        )
        async with asyncio.TaskGroup() as group:
            ready = group.create_task(self._become_ready(connection), name="edge ready")
            closed = await connection.run()
            ready.cancel()
        if self._connection is connection:
            self._connection = None
        self._log("server_lost", code=closed.code, reason=closed.reason, message=closed.message or None)
        if closed.code in (closing.UNAUTHENTICATED, closing.FORBIDDEN):
            return _REFUSED_SECONDS
        return closed.retry_after_seconds

    async def _become_ready(self, connection: Connection) -> None:
        try:
            await connection.ready()
        except ConnectionLost:
            return
        self._connection = connection
        self._log("server_found", epoch=connection.epoch)

    async def _take_in(self, connection: Connection, message: StateMessage) -> None:
        if not isinstance(message, Desired):
            return
        for item in message.items:
            if item.kind == KEY and item.secrets:
                self.pass_keys = keys_of(item.secrets)
            elif item.kind == SETTINGS and item.spec is not None:
                self.told = AddressesSpec.from_json(item.spec)
        applied = self._routes.apply(message, monotonic=self._clock.monotonic(), at=self._clock.now())
        if applied:
            connection.send(Observed(epoch=connection.epoch, items=tuple(applied)))

    def _hello(self) -> Hello:
        """An edge has neither engine nor room; the session asks for them all the same."""
        build = this_build()
        return Hello(
            agent_version=build.version,
            agent_commit=build.commit,
            instance_id=self.instance_id,
            boot_id=self.instance_id,
            labels={URL_LABEL: self._url},
            engine=EngineReport(name="", version=""),
            resources=Resources(cpu_millis=0, memory_bytes=0, max_worker_cpu_millis=0),
        )
