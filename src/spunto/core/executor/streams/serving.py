"""Serves the streams that the server opens: commands, files, logs and more of containers, and orders to the node."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from spunto.core.executor.listening_port import ListeningPort
from spunto.core.executor.runtime import Container, ContainerGone, ContainerRuntime, LogChunk, Stats
from spunto.core.executor.streams.exec import run_command
from spunto.core.executor.streams.files import FileStreams
from spunto.core.executor.streams.params import Params
from spunto.core.executor.streams.terminal import serve_terminal, serve_terminals
from spunto.core.executor.terminals.in_agent import sessions_by
from spunto.core.executor.terminals.port import TerminalHolder
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Invalid, SpuntoError, Unavailable
from spunto.core.kernel.log import Log, silent
from spunto.core.protocol.codec import encode
from spunto.core.protocol.messages import Inventory
from spunto.core.protocol.relaying import DIAL
from spunto.core.protocol.stream import Stream
from spunto.core.specs.files import STREAM as FILES

_MAX_TAIL = 10_000
_MAX_PORTS = 4096
_MAX_REQUEST_ID = 128
STREAMS = (DIAL, "exec", FILES, "inventory", "logs", "ports", "stats", "terminal", "terminals")
"""The kinds that are served, as the agent announces them."""


class NodeStreams:
    """`standing` gives the container of a subject: the only ones that may be reached, ours and wanted on this node.

    `inventory` asks the engine what is there, and `dial` obeys an order to connect to an edge.
    `terminals` holds them beyond this object's life; without it they end with it.
    """

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        clock: Clock,
        standing: Callable[[str], Container | None],
        inventory: Callable[[], Awaitable[Inventory]],
        dial: Callable[[Stream], Awaitable[None]] | None = None,
        terminals: TerminalHolder | None = None,
        log: Log = silent,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._log = log
        self._group: asyncio.TaskGroup | None = None
        self._standing = standing
        self._inventory = inventory
        self._of_node: dict[str, Callable[[Stream], Awaitable[None]]] = {
            DIAL: dial or _dial_nowhere,
            "inventory": self._tell_inventory,
        }
        self._owns_terminals = terminals is None
        self._terminals = sessions_by(runtime, clock=clock, log=log) if terminals is None else terminals
        self._kinds: dict[str, Callable[[Stream, str, Params], Awaitable[None]]] = {
            "exec": self._exec,
            FILES: FileStreams(runtime).serve,
            "logs": self._logs,
            "ports": self._ports,
            "stats": self._stats,
            "terminal": self._terminal,
            "terminals": self._list_terminals,
        }

    async def run(self) -> None:
        """Hold terminals that nobody else does, and clean up behind streams, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                if self._owns_terminals:
                    await self._terminals.run()
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        if self._group is None:
            work.close()
            return
        self._group.create_task(self._quietly(work), name="behind a stream")

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SpuntoError as error:
            self._log("clean_up_failed", error=error.message)

    async def handle(self, stream: Stream) -> None:
        """Serve one stream to its end. What it raises is the stream's reset."""
        ask = self._of_node.get(stream.kind)
        if ask is not None:
            await ask(stream)
            return
        serve = self._kinds.get(stream.kind)
        if serve is None:
            raise Invalid("unknown_stream_kind", f"This agent knows no stream {stream.kind!r}; update it.")
        params = Params(stream.params)
        subject_id = params.text("subjectId")
        container = self._standing(subject_id)
        if container is None:
            raise ContainerGone(subject_id)
        self._log("stream_opened", kind=stream.kind, subject=subject_id, request_id=_request_of(params))
        await serve(stream, container.name, params)

    async def _tell_inventory(self, stream: Stream) -> None:
        """The message as it travels by itself, too."""
        await stream.write(encode(await self._inventory()).encode())
        await stream.write_eof()

    async def _exec(self, stream: Stream, name: str, params: Params) -> None:
        await run_command(self._runtime, stream, name, params, clock=self._clock, later=self._later)

    async def _logs(self, stream: Stream, name: str, params: Params) -> None:
        tail = params.number("tail", default=200, lowest=0, highest=_MAX_TAIL)
        since, follow = params.optional_instant("since"), params.flag("follow")
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(
                _send_logs(stream, self._runtime.logs(name, tail=tail, since=since, follow=follow))
            )
            leaving = group.create_task(_drain(stream))
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            sending.cancel()
            leaving.cancel()

    async def _ports(self, stream: Stream, name: str, _: Params) -> None:
        await stream.write(orjson.dumps({"items": _ports_items(await self._runtime.listening_ports(name))}))
        await stream.write_eof()

    async def _stats(self, stream: Stream, name: str, _: Params) -> None:
        await stream.send_control(_stats_body(await self._runtime.stats(name)))
        await stream.write_eof()

    async def _terminal(self, stream: Stream, name: str, params: Params) -> None:
        await serve_terminal(stream, self._terminals, name, params)

    async def _list_terminals(self, stream: Stream, name: str, params: Params) -> None:
        await serve_terminals(stream, self._terminals, name, params)


async def _dial_nowhere(_: Stream) -> None:
    raise Unavailable("dial_refused", "This agent dials no edges.")


def _request_of(params: Params) -> str | None:
    """The request on the server that the stream serves; an older server doesn't say it."""
    return (params.optional_text("requestId") or "")[:_MAX_REQUEST_ID] or None


async def _send_logs(stream: Stream, chunks: AsyncGenerator[LogChunk, None]) -> None:
    async with aclosing(chunks):
        async for chunk in chunks:
            line = {"at": chunk.at, "stream": chunk.stream, "line": chunk.line}
            await stream.write(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    await stream.write_eof()


async def _drain(stream: Stream) -> None:
    """Return when the other side ends; a silent log would not notice by itself."""
    while await stream.next() is not None:
        pass


def _ports_items(ports: Sequence[ListeningPort] | None) -> list[dict[str, Any]] | None:
    """Null where they can't be told from here. Of more than anybody would look at, the highest are left out."""
    if ports is None:
        return None
    return [{"port": each.port, "address": each.address, "process": each.process} for each in ports[:_MAX_PORTS]]


def _stats_body(stats: Stats) -> dict[str, Any]:
    return {
        "cpuPercent": stats.cpu_percent,
        "memoryBytes": stats.memory_bytes,
        "memoryLimitBytes": stats.memory_limit_bytes,
        "pids": stats.pids,
        "networkRxBytes": stats.network_rx_bytes,
        "networkTxBytes": stats.network_tx_bytes,
        "blockReadBytes": stats.block_read_bytes,
        "blockWriteBytes": stats.block_write_bytes,
        "sampledAt": stats.sampled_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
