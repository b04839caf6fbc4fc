"""Where this node's terminals live: with the holder, or in the agent where its engine is nobody else's to speak to."""

import asyncio
from collections.abc import Sequence

from spunto.core.executor.terminals.in_agent import sessions_by
from spunto.core.executor.terminals.port import SessionView, TerminalHolder, Viewing, Wish
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log
from spunto_agent.engine import LateRuntime
from spunto_agent.holder.places import HOLDER_DIRECTORY
from spunto_agent.holding import HolderLink
from spunto_agent.settings import AgentSettings


class NodeTerminals:
    """A `TerminalHolder` that finds out which of the two it is when the engine has answered."""

    def __init__(self, runtime: LateRuntime, settings: AgentSettings, *, clock: Clock, log: Log) -> None:
        self._runtime = runtime
        self._inside = sessions_by(runtime, clock=clock, log=log)
        self._beside = HolderLink(
            settings.data_dir / HOLDER_DIRECTORY,
            address=self._address,
            starts=settings.starts_holder,
            clock=clock,
            log=log,
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._inside.run(), name="terminals inside")
            group.create_task(self._beside.run(), name="terminals beside")

    async def enter(self, wish: Wish) -> Viewing:
        return await (await self._holder()).enter(wish)

    async def list(self, container: str) -> Sequence[SessionView]:
        return await (await self._holder()).list(container)

    async def end(self, container: str, session: str) -> None:
        await (await self._holder()).end(container, session)

    async def _holder(self) -> TerminalHolder:
        return self._inside if await self._runtime.address() is None else self._beside

    async def _address(self) -> tuple[str, str]:
        address = await self._runtime.address()
        assert address is not None  # noqa: S101 - or nobody would have come here
        return address
