"""The terminals that one process holds: opened, found again by session or name, hung up when nobody comes back."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from spunto.core.executor.terminals.output import Output, Share, Spill
from spunto.core.executor.terminals.port import SessionLost, SessionUnknown, SessionView, Shell, Wish
from spunto.core.executor.terminals.session import Session, Viewer
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import NotFound, QuotaExceeded, SpuntoError
from spunto.core.kernel.log import Log, silent
from spunto.core.kernel.wakeups import Wakeup

LEFT_SECONDS: Final = 600.0
NAMED_SECONDS: Final = 7 * 24 * 3600.0
# Whoever was told of the end may have died before passing it on.
TOLD_SECONDS: Final = 60.0
MAX_TERMINALS: Final = 16
RING_BYTES: Final = 1024 * 1024
_SWEEP_SECONDS: Final = 30.0
_LEAST_RING_BYTES: Final = 64 * 1024
_MAX_LOST: Final = 1024

StartShell = Callable[[str, Wish], Awaitable[Shell]]
"""Begins a shell for the session of this id, within a bounded time. Raises what `ContainerRuntime.exec` does."""
NewSpill = Callable[[], Spill | None]


def no_spill() -> None:
    """Nothing but memory."""


class Sessions:
    """A `TerminalHolder` in this very process. At most sixteen a container; the one that was left the longest, and has
    no name, makes room for a new one.

    `memory_bytes` is what the ends of all outputs may take together; of each at most 1 MiB, and a little in any case.
    `lost` are sessions that a process before this one held.
    """

    def __init__(
        self,
        start_shell: StartShell,
        *,
        clock: Clock,
        memory_bytes: int,
        new_spill: NewSpill = no_spill,
        ended: Callable[[str], None] = lambda _: None,
        lost: Iterable[str] = (),
        log: Log = silent,
    ) -> None:
        self._start_shell = start_shell
        self._clock = clock
        self._memory_bytes = memory_bytes
        self._new_spill = new_spill
        self._ended = ended
        self._lost = dict.fromkeys(list(lost)[-_MAX_LOST:])
        self._log = log
        self._sessions: dict[str, Session] = {}
        self._opening = asyncio.Lock()
        self._group: asyncio.TaskGroup | None = None
        self._opened = Wakeup(clock)

    @property
    def ids(self) -> Sequence[str]:
        """The sessions that live."""
        return [each.session for each in self._sessions.values() if each.lives]

    async def run(self) -> None:
        """Own the shells and hang up what was left; cancelled, all of them end."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    await self._opened.wait(max_seconds=_SWEEP_SECONDS if self._sessions else None)
                    await self._sweep()
            finally:
                self._group = None

    async def enter(self, wish: Wish) -> Viewer:
        session = await self._find_or_open(wish)
        viewer = session.view(wish.offset, wish.size)
        try:
            await session.fit()
        except BaseException:
            await viewer.aclose()
            raise
        return viewer

    async def list(self, container: str) -> Sequence[SessionView]:
        now = self._clock.monotonic()
        return [
            SessionView(
                session=each.session,
                name=each.name,
                size=each.size,
                viewers=len(each.viewers),
                started_at=each.started_at,
                left_seconds=None if each.left_since is None else now - each.left_since,
            )
            for each in self._living(container)
        ]

    async def end(self, container: str, session: str) -> None:
        found = self._sessions.get(session)
        if found is None or found.container != container or not found.lives:
            raise self._unknown(session)
        await found.hang_up()

    async def aclose(self) -> None:
        """Hang everything up."""
        async with asyncio.TaskGroup() as group:
            for session in self._sessions.values():
                group.create_task(session.hang_up(), name=f"hang up {session.session}")

    async def _find_or_open(self, wish: Wish) -> Session:
        if wish.session is not None:
            found = self._sessions.get(wish.session)
            if found is None or found.container != wish.container:
                raise self._unknown(wish.session)
            return found
        if wish.name is None:
            return await self._open(wish)
        # Two who come at once get the same one.
        async with self._opening:
            named = [each for each in self._living(wish.container) if each.name == wish.name]
            return named[0] if named else await self._open(wish)

    async def _open(self, wish: Wish) -> Session:
        await self._make_room(wish.container)
        session_id = os.urandom(16).hex()
        shell = await self._start_shell(session_id, wish)
        if self._group is None:
            await shell.aclose()
            raise NotFound("terminal_not_found", "The node's terminals are ending.")
        output = Output(self._share(), self._new_spill())
        session = Session(session_id, wish.name, wish.container, shell, output, size=wish.size, clock=self._clock)
        self._sessions[session_id] = session
        self._opened.hint()
        self._group.create_task(self._pump(session), name=f"terminal {session_id}")
        return session

    def _share(self) -> Share:
        def share() -> int:
            return max(_LEAST_RING_BYTES, min(RING_BYTES, self._memory_bytes // max(1, len(self._sessions))))

        return share

    async def _pump(self, session: Session) -> None:
        try:
            await session.pump()
        except SpuntoError as error:
            self._log("terminal_failed", session=session.session, error=error.message)
        finally:
            self._ended(session.session)

    async def _make_room(self, container: str) -> None:
        mine = self._living(container)
        if len(mine) < MAX_TERMINALS:
            return
        left = [each for each in mine if each.left_since is not None and each.name is None]
        if not left:
            raise QuotaExceeded(
                "too_many_terminals",
                f"The worker has {MAX_TERMINALS} terminals open; close one first.",
                retry_after_seconds=5,
            )
        await self._hang_up(min(left, key=lambda each: each.left_since or 0.0))

    async def _sweep(self) -> None:
        now = self._clock.monotonic()
        for session in list(self._sessions.values()):
            if _is_over(session, now):
                await self._hang_up(session)

    async def _hang_up(self, session: Session) -> None:
        self._sessions.pop(session.session, None)
        await session.hang_up()
        session.output.close()

    def _living(self, container: str) -> Sequence[Session]:
        return [each for each in self._sessions.values() if each.container == container and each.lives]

    def _unknown(self, session: str) -> SpuntoError:
        return SessionLost(session) if session in self._lost else SessionUnknown(session)


def _is_over(session: Session, now: float) -> bool:
    if session.viewers:
        return False
    if session.ended_at is not None:
        return session.ended_at + (TOLD_SECONDS if session.end_was_told else LEFT_SECONDS) <= now
    kept_seconds = LEFT_SECONDS if session.name is None else NAMED_SECONDS
    return session.left_since is not None and session.left_since + kept_seconds <= now
