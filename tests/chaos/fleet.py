"""Many real agents in this process, each on a fake engine of its own, that dial and come back as real ones do."""

import asyncio
import time
from dataclasses import dataclass, field

from spunto.core.executor.journal import MemoryJournal
from spunto.core.executor.reading import Reading
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.streams.serving import STREAMS, NodeStreams
from spunto.core.executor.uplink import Uplink
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.secret import Secret
from spunto.testing.node import DEFAULT_IMAGE, GIB, Machine
from spunto_agent.link import Link

_CLOCK = SystemClock()


def a_machine() -> Machine:
    return Machine(images=(DEFAULT_IMAGE,), cpu_millis=16_000, memory_bytes=64 * GIB, now=_CLOCK.now)


@dataclass(slots=True, kw_only=True)
class Member:
    """One agent. `connected_at` and `lost_at` are of the monotonic clock; None before the first time."""

    node_id: str
    token: str
    machine: Machine = field(default_factory=a_machine)
    connected_at: float | None = None
    lost_at: float | None = None
    close_codes: list[int] = field(default_factory=list)

    @property
    def is_connected(self) -> bool:
        return self.connected_at is not None and (self.lost_at is None or self.lost_at < self.connected_at)

    async def run(self, url: str) -> None:
        settings = NodeSettings(
            node_id=self.node_id,
            instance_id=f"fleet-{self.node_id}",
            boot_id="fleet",
            agent_version="chaos",
            engine="fake",
            cpu_overcommit=1.0,
        )
        runner = NodeRunner(
            self.machine,
            journal=MemoryJournal(),
            clock=_CLOCK,
            settings=settings,
            reading=Reading(),
            streams=STREAMS,
            log=self._note,
        )
        streams = NodeStreams(
            self.machine, clock=_CLOCK, standing=runner.standing, inventory=runner.inventory, log=self._note
        )
        uplink = Uplink(runner, clock=_CLOCK, on_stream=streams.handle, log=self._note)
        address = f"{url.replace('http', 'ws', 1)}/api/agent/connect"
        link = Link(address, Secret(self.token), uplink=uplink, runner=runner, clock=_CLOCK, log=self._note)
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run())
            group.create_task(streams.run())
            await runner.engine_answered()
            await link.run()

    def _note(self, event: str, /, **fields: object) -> None:
        if event == "connected":
            self.connected_at = time.monotonic()
        elif event == "disconnected":
            self.lost_at = time.monotonic()
            self.close_codes.append(int(str(fields["code"])))
