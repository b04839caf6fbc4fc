"""A node's end of one connection: what comes in goes to the runner and the streams, what the runner says goes out."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from spunto.core.executor.runner import NodeRunner
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log
from spunto.core.protocol import closing
from spunto.core.protocol.connection import Connection, OnStream
from spunto.core.protocol.events import Closed
from spunto.core.protocol.messages import (
    MAX_ITEMS,
    Desired,
    DiskReport,
    EngineReport,
    Forget,
    Hello,
    Inventory,
    InventoryItem,
    Observed,
    ObservedItem,
    StateMessage,
)
from spunto.core.protocol.session import SessionSettings
from spunto.core.protocol.stream import ConnectionLost
from spunto.core.protocol.transport import Transport


class ConnectionReporter:
    """Reports over a connection, under its epoch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def observed(self, items: Sequence[ObservedItem]) -> None:
        self._connection.send(Observed(epoch=self._connection.epoch, items=tuple(items)))

    def inventory(
        self, items: Sequence[InventoryItem], *, engine: EngineReport, disk: DiskReport | None, sampled_at: datetime
    ) -> None:
        shown = tuple(items[:MAX_ITEMS])
        self._connection.send(
            Inventory(epoch=self._connection.epoch, sampled_at=sampled_at, engine=engine, items=shown, disk=disk)
        )


class Uplink:
    """Speaks with the server over whatever transport it is given; one call a connection, one at a time."""

    def __init__(
        self,
        runner: NodeRunner,
        *,
        clock: Clock,
        on_stream: OnStream,
        log: Log,
        session: SessionSettings = SessionSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._runner = runner
        self._clock = clock
        self._on_stream = on_stream
        self._log = log
        self._session = session

    async def serve(self, transport: Transport) -> Closed:
        """Say hello and serve until the connection is over, and tell why it is."""
        hello = self._runner.hello()
        connection = Connection.agent(
            transport,
            clock=self._clock,
            hello=hello,
            on_message=self._take_in,
            on_error=self._note_error,
            on_stream=self._on_stream,
            settings=self._session,
        )
        async with asyncio.TaskGroup() as group:
            reporting = group.create_task(self._report_to(connection, hello), name="reporting")
            try:
                closed = await connection.run()
            finally:
                reporting.cancel()
        return closed

    async def _report_to(self, connection: Connection, hello: Hello) -> None:
        try:
            welcome = await connection.ready()
        except ConnectionLost:
            return
        self._log("connected", node=welcome.node_id, epoch=welcome.epoch)
        reporter = ConnectionReporter(connection)
        self._runner.attach(reporter)
        try:
            if not hello.engine.version:
                # Sizes and versions travel in the hello alone, so it is said again when they are known.
                await self._runner.engine_answered()
                connection.close(closing.RESTARTING, "engine_found")
            await asyncio.get_running_loop().create_future()
        finally:
            self._runner.detach(reporter)

    async def _take_in(self, connection: Connection, message: StateMessage) -> None:
        if isinstance(message, Desired):
            self._runner.apply(message)
        elif isinstance(message, Forget):
            self._runner.forget(message.ids)

    def _note_error(self, where: str, error: BaseException) -> None:
        self._log("handler_failed", where=where, error=repr(error))
