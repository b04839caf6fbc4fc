"""The terminals of a node: opened, found again by session, and hung up when nobody has come back to them."""

import asyncio
import secrets

from spunto.core.executor.effects import bounded
from spunto.core.executor.runtime import ContainerRuntime, EngineRefused, Exec, ExecSpec
from spunto.core.executor.streams.params import Params
from spunto.core.executor.streams.terminal import Terminal
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import NotFound, QuotaExceeded, SpuntoError
from spunto.core.kernel.log import Log
from spunto.core.kernel.wakeups import Wakeup
from spunto.core.protocol.stream import Stream

DETACHED_SECONDS = 600.0
MAX_TERMINALS = 16
_SWEEP_SECONDS = 30.0
_OPEN_SECONDS = 15.0
_SHELLS = (("bash", "-l"), ("sh",))
_ENV = {"TERM": "xterm-256color"}


class Terminals:
    """At most sixteen a worker; the one that was left the longest makes room for a new one."""

    def __init__(self, runtime: ContainerRuntime, *, clock: Clock, log: Log) -> None:
        self._runtime = runtime
        self._clock = clock
        self._log = log
        self._terminals: dict[str, Terminal] = {}
        self._opened = Wakeup(clock)
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the terminals' tasks and hang up what was left; cancelled, all shells end."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    await self._opened.wait(max_seconds=_SWEEP_SECONDS if self._terminals else None)
                    await self._sweep()
            finally:
                self._group = None

    async def serve(self, stream: Stream, name: str, params: Params) -> None:
        """A new terminal, or the one that `session` names. Raises NotFound `terminal_not_found`, QuotaExceeded."""
        cols = params.number("cols", default=80, lowest=1, highest=4096)
        rows = params.number("rows", default=24, lowest=1, highest=4096)
        session = params.optional_text("session")
        terminal = await self._open(name, cols, rows) if session is None else self._find(session, name)
        try:
            await terminal.attach(stream, offset=params.optional_number("offset"), cols=cols, rows=rows)
        finally:
            if terminal.is_done:
                self._terminals.pop(terminal.session, None)

    def _find(self, session: str, name: str) -> Terminal:
        terminal = self._terminals.get(session)
        if terminal is None or terminal.name != name:
            raise NotFound("terminal_not_found", "That terminal has ended; open a new one.", session=session)
        return terminal

    async def _open(self, name: str, cols: int, rows: int) -> Terminal:
        await self._make_room(name)
        async with bounded(_OPEN_SECONDS):
            shell = await self._start_shell(name, cols, rows)
        terminal = Terminal(secrets.token_hex(16), name, shell, self._clock)
        if self._group is None:
            await terminal.close()
            raise NotFound("terminal_not_found", "The node's agent is stopping.")
        self._terminals[terminal.session] = terminal
        self._opened.hint()
        self._group.create_task(self._pump(terminal), name=f"terminal {terminal.session}")
        return terminal

    async def _start_shell(self, name: str, cols: int, rows: int) -> Exec:
        *preferred, last = (ExecSpec(command=each, env=_ENV, tty=True, cols=cols, rows=rows) for each in _SHELLS)
        for spec in preferred:
            try:
                return await self._runtime.exec(name, spec)
            except EngineRefused:
                continue
        return await self._runtime.exec(name, last)

    async def _pump(self, terminal: Terminal) -> None:
        try:
            await terminal.pump()
        except SpuntoError as error:
            self._log("terminal_failed", session=terminal.session, error=error.message)

    async def _make_room(self, name: str) -> None:
        mine = [each for each in self._terminals.values() if each.name == name]
        if len(mine) < MAX_TERMINALS:
            return
        left = [each for each in mine if each.detached_since is not None]
        if not left:
            raise QuotaExceeded(
                "too_many_terminals",
                f"The worker has {MAX_TERMINALS} terminals open; close one first.",
                retry_after_seconds=5,
            )
        await self._hang_up(min(left, key=lambda each: each.detached_since or 0.0))

    async def _sweep(self) -> None:
        latest = self._clock.monotonic() - DETACHED_SECONDS
        for terminal in list(self._terminals.values()):
            if terminal.detached_since is not None and terminal.detached_since <= latest:
                await self._hang_up(terminal)

    async def _hang_up(self, terminal: Terminal) -> None:
        self._terminals.pop(terminal.session, None)
        await terminal.close()
