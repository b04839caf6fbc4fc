"""How much memory the processes of a region hold, and the kernel for their connections."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.edges.region import Region
from tests.chaos.hosts import Host

MIB = 1024 * 1024
_LOOK_SECONDS = 0.25
_HELD = re.compile(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+)")


@dataclass(slots=True)
class Memory:
    """The most at any time, in bytes by name; `kernel` is what lies in sockets of a host."""

    before: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    kernel: dict[str, int] = field(default_factory=dict)

    @property
    def grown(self) -> dict[str, int]:
        return {name: most - self.before[name] for name, most in self.most.items()}

    def told(self) -> str:
        parts = [
            f"{name} {self.before[name] // MIB} to {most // MIB} MiB, sockets {self.kernel.get(name, 0) // MIB}"
            for name, most in self.most.items()
        ]
        return ", ".join(parts)

    async def look(self, region: Region) -> None:
        for program in region.programs:
            rss = program.rss_bytes
            self.before.setdefault(program.name, rss)
            self.most[program.name] = max(self.most.get(program.name, 0), rss)
        hosts = (region.server_host, *(edge.host for edge in region.edges), region.agent_host)
        for program, host in zip(region.programs, hosts, strict=True):
            self.kernel[program.name] = max(self.kernel.get(program.name, 0), await _held_by_sockets(host))


@asynccontextmanager
async def memory_watched(region: Region) -> AsyncIterator[Memory]:
    memory = Memory()
    await memory.look(region)

    async def watch() -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await memory.look(region)

    watching = asyncio.create_task(watch(), name="memory")
    try:
        yield memory
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _held_by_sockets(host: Host) -> int:
    asked = await asyncio.create_subprocess_exec(
        *host.inside, "ss", "-Htnm", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    told, _ = await asked.communicate()
    return sum(sum(map(int, found)) for found in _HELD.findall(told.decode()))
