"""One port of this machine that leads to one of a worker: each connection to it is a tunnel."""

import asyncio
import socket
import struct
import time
from contextlib import suppress
from types import TracebackType
from typing import Final

from spunto.client.errors import BadCredential, NotAllowed, NotNow, NotThere
from spunto.client.tunnel import Tunnel
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Forbidden, SpuntoError
from spunto.entrypoints.cli.progress import reporting
from spunto.entrypoints.cli.session import Session

_PIECE_BYTES: Final = 64 * 1024
_SOON_SECONDS: Final = 0.25
_STARTING: Final = "worker_starting"
_STOPPED: Final = "worker_stopped"
"""Said to whoever can't start it; for the others it starts."""
_START_SECONDS: Final = 300.0
_RESETS: Final = struct.pack("ii", 1, 0)


class Forwarded:
    """Entered while it listens; its connections end with it. Who holds `telling` shows how far the worker is."""

    def __init__(self, session: Session, worker: Worker, remote: int, *, telling: asyncio.Lock) -> None:
        self.worker = worker
        self.remote = remote
        self.local = 0
        self._session = session
        self._telling = telling
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> None:
        """Raises OSError."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=_PIECE_BYTES)
        self.local = self._server.sockets[0].getsockname()[1]

    async def __aenter__(self) -> "Forwarded":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def try_it(self) -> None:
        """Connect once, so that a stopped worker starts, and so that it is told at once where nobody listens.

        Raises SpuntoError where no later connection could get through either.
        """
        try:
            await (await self._opened()).aclose()
        except (BadCredential, NotAllowed, NotThere):
            raise
        except SpuntoError as error:
            if error.code == _STOPPED:
                raise _may_not_start(self.worker) from error
            self._complain(error)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The library's own tasks complain of being cancelled (https://github.com/python/cpython/issues/113538).
        task = asyncio.create_task(self._serve(reader, writer), name=f"forwarded to {self.remote}")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._lead(reader, writer)
        except SpuntoError as error:
            self._complain(error)
            _cut(writer)
        except OSError:
            # The program here has gone.
            _cut(writer)
        finally:
            writer.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel = await self._opened()
        there = asyncio.create_task(_to_worker(reader, tunnel), name="to the worker")
        back = asyncio.create_task(_from_worker(tunnel, writer), name="from the worker")
        try:
            done, _ = await asyncio.wait({there, back}, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                await task
        finally:
            there.cancel()
            back.cancel()
            await asyncio.wait({there, back})
            await tunnel.aclose()

    async def _opened(self) -> Tunnel:
        """Raises what the edge says, and what it said last of a worker that does not come up."""
        deadline = time.monotonic() + _START_SECONDS
        telling = asyncio.create_task(self._tell_progress(), name="progress")
        try:
            while True:
                try:
                    return await self._session.client.workers.tunnel(self.worker, self.remote)
                except NotNow as error:
                    # The edge has waited for it for a while already.
                    if error.code != _STARTING or time.monotonic() >= deadline:
                        raise
        finally:
            telling.cancel()
            await asyncio.wait({telling})

    async def _tell_progress(self) -> None:
        """Where the worker is on its way, while it has one: also what it sets up before anybody listens."""
        await asyncio.sleep(_SOON_SECONDS)
        workers = self._session.client.workers
        async with self._telling:
            with suppress(SpuntoError):
                if _is_there(await workers.get(self.worker)):
                    return
                with reporting(self._session.out, self.worker.name) as report:
                    async for seen in workers.watch_worker(self.worker):
                        report(seen)
                        if _is_there(seen):
                            return

    def _complain(self, error: SpuntoError) -> None:
        if self._session.out.as_json:
            self._session.out.error(error)
        else:
            self._session.out.note(f"{self.local}: {error.message}")


def _is_there(worker: Worker) -> bool:
    setup = worker.setup_status
    return worker.state == "ready" and (setup is None or setup.phase in ("ready", "error"))


def _may_not_start(worker: Worker) -> Forbidden:
    return Forbidden(
        "may_not_wake",
        f"{worker.name} is stopped, and you can't start it: its owner and admins do, an API key with `workers:write`.",
    )


async def _to_worker(reader: asyncio.StreamReader, tunnel: Tunnel) -> None:
    while data := await reader.read(_PIECE_BYTES):
        await tunnel.write(data)
    await tunnel.write_eof()


async def _from_worker(tunnel: Tunnel, writer: asyncio.StreamWriter) -> None:
    while (data := await tunnel.read()) is not None:
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _cut(writer: asyncio.StreamWriter) -> None:
    """Nobody here is to take what came for all."""
    plain: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
    writer.transport.abort()
