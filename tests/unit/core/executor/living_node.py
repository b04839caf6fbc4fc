"""A node in memory: the real runner over the fake engine, a clock that stands still, and a reporter that listens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.unit.core.executor.node_values import IMAGE, NODE, WORKER, node_settings

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.journal import Journal, MemoryJournal
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.runtime import Container, Network
from spunto.core.kernel.clock import ManualClock
from spunto.core.protocol.messages import DiskReport, EngineReport, InventoryItem, ObservedItem, Phase

PATIENCE_SECONDS = 5.0


class Listener:
    """A reporter that keeps everything and wakes who waits for it."""

    def __init__(self) -> None:
        self.heard: list[ObservedItem] = []
        self.inventories: list[tuple[Sequence[InventoryItem], EngineReport]] = []
        self.disks: list[DiskReport | None] = []
        self._changed = asyncio.Event()

    def observed(self, items: Sequence[ObservedItem]) -> None:
        self.heard += items
        self._changed.set()

    def inventory(
        self, items: Sequence[InventoryItem], *, engine: EngineReport, disk: DiskReport | None, sampled_at: datetime
    ) -> None:
        self.inventories.append((items, engine))
        self.disks.append(disk)
        self._changed.set()

    def phases(self, subject_id: str = WORKER) -> list[Phase]:
        return [item.phase for item in self.heard if item.id == subject_id]

    async def next(self) -> None:
        """Wait until more is heard."""
        self._changed.clear()
        await self._changed.wait()

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                await self.next()

    async def until_phase(self, phase: Phase, generation: int, subject_id: str = WORKER) -> ObservedItem:
        """The newest word on the subject, once it is this."""

        def newest() -> ObservedItem | None:
            return next((item for item in reversed(self.heard) if item.id == subject_id), None)

        def holds() -> bool:
            item = newest()
            return item is not None and (item.phase, item.generation) == (phase, generation)

        await self.until(holds)
        item = newest()
        assert item is not None
        return item


@dataclass(slots=True, kw_only=True)
class LivingNode:
    runtime: FakeRuntime = field(default_factory=lambda: FakeRuntime(images=[IMAGE]))
    journal: Journal = field(default_factory=MemoryJournal)
    clock: ManualClock = field(default_factory=ManualClock)
    settings: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, *, attached: bool = True) -> AsyncIterator[tuple[NodeRunner, Listener]]:
        """One life of the agent's process; leaving it is a kill, which leaves everything as it is."""
        runner = NodeRunner(
            self.runtime,
            journal=self.journal,
            clock=self.clock,
            settings=node_settings(**self.settings),
            log=lambda event, /, **_: self.events.append(event),
        )
        listener = Listener()
        if attached:
            runner.attach(listener)
        running = asyncio.ensure_future(runner.run())
        try:
            yield runner, listener
        finally:
            running.cancel()
            await asyncio.wait([running])
            if not running.cancelled():
                running.result()

    async def while_time_passes(self, holds: Callable[[], Any]) -> None:
        """Let everybody run as far as they get, and then time pass to the next thing that waits for it."""
        for _ in range(200):
            for _ in range(100):
                if holds():
                    return
                await asyncio.sleep(0)
            self.clock.advance(self.clock.next_wake_seconds() or 1.0)
        raise AssertionError("time alone does not bring it about")


async def everything_on(runtime: FakeRuntime) -> tuple[list[Container], list[Network]]:
    return await runtime.list_containers(label=f"spunto.node={NODE}"), await runtime.list_networks()
