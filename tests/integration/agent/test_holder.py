"""Terminals on real engines, held by a process of their own while agents come and go."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.agent.socket_server import SocketServer, socket_server
from tests.unit.core.executor.node_values import a_desired_item

from spunto.adapters.runtimes.detect import connect
from spunto.core.executor.runtime import ContainerRuntime, ExecSpec
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.messages import Phase
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import Stream
from spunto.core.specs.worker import container_name

PATIENCE_SECONDS = 60.0
MAX_HOLDER_BYTES = 25 * 1024 * 1024


class Lab:
    """One node with a worker on a real engine; what holds its terminals ends with the test."""

    def __init__(self, server: SocketServer, engine: ContainerRuntime, environment: dict[str, str]) -> None:
        self.server = server
        self.engine = engine
        self.worker = TimeOrderedIds(SystemClock()).new("wkr")
        self.name = container_name(self.worker)
        self.holder_directory = Path(environment["SPUNTO_AGENT_DATA_DIR"]) / "holder"
        self._environment = environment

    @asynccontextmanager
    async def agent(self, **more: str) -> AsyncIterator[None]:
        """An agent's process with its worker running; it is killed at the end of the block."""
        self.server.observed.clear()
        comes_as = len(self.server.hellos) + 1
        process = subprocess.Popen(  # noqa: ASYNC220 - asyncio's child watcher loses exit codes to others
            [sys.executable, "-m", "spunto_agent"], env={**os.environ, **self._environment, **more}
        )
        try:
            await self.server.until_connected(comes_as)
            await self.server.send(a_desired_item(subject_id=self.worker), whole=True)
            await self.server.until_phase(self.worker, Phase.RUNNING, 1)
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait, 20)
            await self.server.until(lambda: self.server.connection is None)

    async def terminal(self, session: str | None = None, offset: int | None = None, **more: Any) -> tuple[Stream, Any]:
        size = {"cols": 100, "rows": 30, **more}
        stream = self.server.open("terminal", self.worker, session=session, offset=offset, **size)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return stream, await stream.next()

    def holder(self) -> psutil.Process:
        return psutil.Process(int((self.holder_directory / "lock").read_text()))

    async def shells(self) -> int:
        """How many processes in the worker belong to terminals."""
        script = "grep -ls SPUNTO_TERMINAL= /proc/[0-9]*/environ | wc -l"
        counting = await self.engine.exec(self.name, ExecSpec(command=("sh", "-c", script)))
        said = await counting.read()
        await counting.aclose()
        assert said is not None
        return int(said[1])

    async def until_shells(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.shells() != count:
                pass


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    url = str(request.getfixturevalue(f"{request.param}_url"))
    node_id = NodeId(TimeOrderedIds(SystemClock()).new("nod"))
    engine = await connect(request.param, url)
    async with socket_server(node_id) as server:
        environment = {
            "SPUNTO_AGENT_SERVER_URL": server.url,
            "SPUNTO_AGENT_TOKEN": server.token,
            "SPUNTO_AGENT_DATA_DIR": str(tmp_path / ("a-long-way" * 12)),
            "SPUNTO_AGENT_ENGINE": request.param,
            "SPUNTO_AGENT_ENGINE_URL": url,
        }
        made = Lab(server, engine, environment)
        try:
            yield made
        finally:
            with suppress(OSError, psutil.NoSuchProcess):
                made.holder().kill()
            await engine.remove_container(made.name)
            await engine.remove_network(f"{made.name}-net")
            await engine.remove_volume(f"{made.name}-workspace")
            await engine.aclose()


async def read_to(stream: Stream, end: bytes) -> bytes:
    said = bytearray()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while end not in said:
            piece = await stream.read()
            assert piece is not None
            said += piece
    return bytes(said)


async def test_a_terminal_outlives_its_agent_s_death_without_a_byte_lost_or_repeated(lab: Lab) -> None:
    async with lab.agent():
        stream, first = await lab.terminal()
        await stream.write(b"for i in $(seq 30000); do echo number $i; done; echo e''nd\n")
        seen = await read_to(stream, b"number 2000\r\n")
    async with lab.agent():
        stream, again = await lab.terminal(first["session"], len(seen))
        rest = await read_to(stream, b"\r\nend\r\n")
        stream, _ = await lab.terminal(first["session"], 0)
        whole = await read_to(stream, b"\r\nend\r\n")
        memory_bytes = lab.holder().memory_info().rss

    assert again == {"session": first["session"], "offset": len(seen)}
    assert seen + rest == whole
    numbers = [int(each) for each in re.findall(rb"number (\d+)\r\n", whole)]
    assert numbers == list(range(1, 30001))
    assert memory_bytes <= MAX_HOLDER_BYTES


async def test_terminals_of_a_holder_that_was_killed_are_said_to_be_lost_and_their_shells_end(lab: Lab) -> None:
    async with lab.agent():
        stream, first = await lab.terminal()
        await stream.write(b"echo here; sleep 1000\n")
        await read_to(stream, b"\rhere\r\n")
        lab.holder().kill()
        with pytest.raises(StreamReset) as lost:
            await read_to(stream, b"never")
        after, _ = await lab.terminal()
        await after.write(b"exit\n")
        await read_to(after, b"exit\r\n")
        with pytest.raises(StreamReset) as still_lost:
            await lab.terminal(first["session"], 0)
        await lab.until_shells(0)

    assert (lost.value.code, still_lost.value.code) == ("session_lost", "session_lost")


async def test_output_that_memory_does_not_hold_is_kept_on_the_disk_and_what_neither_holds_is_said_to_be_gone(
    lab: Lab,
) -> None:
    async with lab.agent():
        stream, first = await lab.terminal()
        await stream.write(b"stty -echo; echo b''egun; seq -f %015.0f 500000; echo e''nd\n")
        begun = await read_to(stream, b"begun\r\n")
        kept = await read_to(stream, b"end\r\n")
        again, ready = await lab.terminal(first["session"], len(begun))
        from_disk = await read_to(again, b"end\r\n")
        await again.write(b"seq -f %015.0f 1000000; echo e''nd\n")
        await read_to(again, b"end\r\n")
        later, moved = await lab.terminal(first["session"], 100)
        told = await later.next()
        memory_bytes = lab.holder().memory_info().rss

    assert ready["offset"] == len(begun)
    assert kept.startswith(from_disk)
    assert len(from_disk) > 8 * 1024 * 1024
    assert isinstance(told, dict)
    assert (told["lost"], told["offset"]) == (moved["offset"] - 100, moved["offset"])
    assert told["lost"] > 5 * 1024 * 1024
    assert memory_bytes <= MAX_HOLDER_BYTES


async def test_a_viewer_that_does_not_read_holds_nobody_else_and_fills_no_memory(lab: Lab) -> None:
    async with lab.agent():
        slow, first = await lab.terminal()
        quick, _ = await lab.terminal(first["session"], 0)
        await quick.write(b"seq 300000; echo e''nd\n")
        seen = await read_to(quick, b"end\r\n")
        memory_bytes = lab.holder().memory_info().rss
        late = await read_to(slow, b"end\r\n")

    assert re.findall(rb"\r\n(\d+)", seen)[-1] == b"300000"
    assert late[-1000:] == seen[-1000:]
    assert memory_bytes <= MAX_HOLDER_BYTES


async def test_a_worker_that_stops_ends_its_terminals(lab: Lab) -> None:
    async with lab.agent():
        stream, _ = await lab.terminal()
        await stream.write(b"echo h''ere\n")
        await read_to(stream, b"here\r\n")
        await lab.engine.stop_container(lab.name, grace_seconds=0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            pieces = [piece async for piece in _pieces(stream)]

    assert isinstance(pieces[-1], dict)
    assert set(pieces[-1]) == {"exit"}


async def _pieces(stream: Stream) -> AsyncIterator[Any]:
    while (piece := await stream.next()) is not None:
        yield piece


async def test_a_container_without_a_shell_says_so(lab: Lab) -> None:
    async with lab.agent():
        gone = "for each in sh bash dash; do rm -f $(command -v $each); done"
        removing = await lab.engine.exec(lab.name, ExecSpec(command=("bash", "-c", gone), user="root"))
        while await removing.read() is not None:
            pass
        await removing.aclose()
        with pytest.raises(StreamReset) as refused:
            await lab.terminal()

    assert refused.value.code == "engine_refused"
    assert "sh" in refused.value.message


async def test_a_terminated_holder_hangs_its_shells_up_first(lab: Lab) -> None:
    async with lab.agent():
        stream, _ = await lab.terminal()
        await stream.write(b"echo h''ere; sleep 1000\n")
        await read_to(stream, b"here\r\n")
        holder = lab.holder()
        holder.terminate()
        await asyncio.to_thread(holder.wait, 20)
        await lab.until_shells(0)

    assert list(lab.holder_directory.glob("*.shell")) == []
