"""Ports of workers on real engines, through an edge and an agent's process."""

import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.chaos.namespaces import joined_namespace
from tests.integration.agent.socket_server import SocketServer, socket_server
from tests.integration.edge.relay_door import EdgeLab, edge_lab
from tests.integration.runtimes.real_engine import ECHO
from tests.unit.core.executor.node_values import a_desired_item

from spunto.adapters.runtimes.detect import connect
from spunto.core.executor.runtime import ContainerRuntime, ExecSpec
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.ids import TimeOrderedIds
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.messages import Phase
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.specs.worker import container_name
from spunto.entrypoints.edge.tickets import LIFE_SECONDS
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS

DOCKER, PODMAN = pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)
# As in a container with the host's network: the engine counts other processes than the agent sees.
IN_A_CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
# As in a container with the machine's processes, whose root is not let into those of others.
WITHOUT_SIGHT = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")
WITHOUT_THE_RIGHT = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
MUCH = 100 * 1024 * 1024
LAST_WORD = b"bye"


@dataclass(slots=True, kw_only=True)
class RelayLab:
    """A server, an edge, and one node with one worker, whose agent can be killed and started again."""

    server: SocketServer
    edge: EdgeLab
    engine: ContainerRuntime
    worker: str
    environment: dict[str, str]
    inside: Sequence[str]
    stack: AsyncExitStack
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    @property
    def name(self) -> str:
        return container_name(self.worker)

    async def start_agent(self, **more: str) -> None:
        self.starts += 1
        self.process = subprocess.Popen(  # noqa: ASYNC220 - asyncio's child watcher loses exit codes to psutil
            [*self.inside, sys.executable, "-m", "spunto_agent"], env={**os.environ, **self.environment, **more}
        )
        await self.server.until_connected(self.starts)

    async def kill_agent(self) -> None:
        if self.process is not None:
            self.process.kill()
            await asyncio.to_thread(self.process.wait, 20)

    async def start_worker(self) -> None:
        await self.server.send(a_desired_item(subject_id=self.worker), whole=True)
        await self.server.until_phase(self.worker, Phase.RUNNING, 1)

    async def listen(self, address: str, port: int) -> None:
        """A program of the worker's sends back what it hears."""
        command = ("python3", "-c", ECHO, address, str(port), LAST_WORD.decode())
        program = await self.engine.exec(self.name, ExecSpec(command=command))
        self.stack.push_async_callback(program.aclose)
        assert await program.read() == ("stdout", b"listening\n")


@asynccontextmanager
async def relay_lab(
    url: str, directory: Path, *, host: str = "127.0.0.1", inside: Sequence[str] = ()
) -> AsyncIterator[RelayLab]:
    ids = TimeOrderedIds(SystemClock())
    async with AsyncExitStack() as stack:
        engine = await connect("auto", url)
        stack.push_async_callback(engine.aclose)
        server = await stack.enter_async_context(socket_server(NodeId(ids.new("nod")), host=host))
        edge = await stack.enter_async_context(edge_lab(server, host=host))
        environment = {
            "SPUNTO_AGENT_SERVER_URL": server.url,
            "SPUNTO_AGENT_TOKEN": server.token,
            "SPUNTO_AGENT_DATA_DIR": str(directory),
            "SPUNTO_AGENT_ENGINE_URL": url,
        }
        lab = RelayLab(
            server=server,
            edge=edge,
            engine=engine,
            worker=ids.new("wkr"),
            environment=environment,
            inside=inside,
            stack=stack,
        )
        try:
            yield lab
        finally:
            await lab.kill_agent()
            await engine.remove_container(lab.name)
            await engine.remove_network(f"{lab.name}-net")
            await engine.remove_volume(f"{lab.name}-workspace")


@pytest.fixture
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RelayLab]:
    """Its worker runs."""
    async with relay_lab(request.getfixturevalue(f"{getattr(request, 'param', 'docker')}_url"), tmp_path) as lab:
        await lab.start_agent()
        await lab.start_worker()
        yield lab


async def everything(stream: Stream) -> bytes:
    said = bytearray()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (data := await stream.read()) is not None:
            said += data
    return bytes(said)


async def echoed(stream: Stream, data: bytes) -> bytes:
    await stream.write(data)
    await stream.write_eof()
    return await everything(stream)


async def refusal(lab: RelayLab, port: int, *, subject_id: str | None = None) -> StreamReset:
    with pytest.raises(StreamReset) as reset:
        await lab.edge.connect(subject_id or lab.worker, port)
    return reset.value


async def why_not(lab: RelayLab, port: int, *, subject_id: str | None = None) -> str:
    return (await refusal(lab, port, subject_id=subject_id)).code


@pytest.mark.parametrize("lab", [DOCKER, PODMAN], indirect=True)
async def test_ports_of_a_worker_are_reached_whatever_they_are_bound_to(lab: RelayLab) -> None:
    for port, address in ((8001, "127.0.0.1"), (8002, "0.0.0.0"), (8003, "own")):
        await lab.listen(address, port)

    answers = [await echoed(await lab.edge.connect(lab.worker, port), b"hello") for port in (8001, 8002, 8003)]

    assert answers == [b"hellobye"] * 3
    assert lab.server.hellos[-1].posture["loopback_ports"] is True


@pytest.mark.docker
@pytest.mark.parametrize(
    "confined",
    [IN_A_CONTAINER, WITHOUT_THE_RIGHT, WITHOUT_SIGHT],
    ids=["in a container", "without the right", "without sight"],
)
async def test_an_agent_that_may_not_go_into_networks_says_so_and_uses_addresses(
    docker_url: str, tmp_path: Path, confined: Sequence[str]
) -> None:
    async with relay_lab(docker_url, tmp_path, inside=confined) as lab:
        await lab.start_agent()
        await lab.start_worker()
        await lab.listen("127.0.0.1", 8001)
        await lab.listen("own", 8002)

        answer = await echoed(await lab.edge.connect(lab.worker, 8002), b"hello")
        refused = await refusal(lab, 8001)

    assert answer == b"hellobye"
    assert (refused.code, "loopback" in refused.message) == ("connection_refused", True)
    assert lab.server.hellos[-1].posture["loopback_ports"] is False


@pytest.mark.docker
@pytest.mark.parametrize(
    ("confined", "told"),
    [
        ((), [{"port": 8001, "address": "127.0.0.1", "process": "python3"}]),
        (WITHOUT_THE_RIGHT, [{"port": 8001, "address": "127.0.0.1", "process": "python3"}]),
        (IN_A_CONTAINER, None),
        (WITHOUT_SIGHT, None),
    ],
    ids=["at home", "without the right", "in a container", "without sight"],
)
async def test_an_agent_that_may_not_look_at_processes_says_that_it_can_not_tell_who_listens(
    docker_url: str, tmp_path: Path, confined: Sequence[str], told: list[dict[str, object]] | None
) -> None:
    async with relay_lab(docker_url, tmp_path, inside=confined) as lab:
        await lab.start_agent()
        await lab.start_worker()
        await lab.listen("127.0.0.1", 8001)

        answer = await everything(lab.server.open("ports", lab.worker))

    assert json.loads(answer) == {"items": told}


@pytest.mark.parametrize("lab", [DOCKER, PODMAN], indirect=True)
async def test_a_hundred_megabytes_go_both_ways_and_arrive_whole(lab: RelayLab) -> None:
    await lab.listen("127.0.0.1", 8001)
    block, sent, came = random.Random(1).randbytes(1024 * 1024), hashlib.sha256(), hashlib.sha256()
    stream = await lab.edge.connect(lab.worker, 8001)

    async def send() -> None:
        for _ in range(MUCH // len(block)):
            await stream.write(block)
            sent.update(block)
        await stream.write_eof()

    async def hear() -> None:
        while (data := await stream.read()) is not None:
            came.update(data)

    async with asyncio.timeout(3 * PATIENCE_SECONDS):
        await asyncio.gather(send(), hear())
    sent.update(LAST_WORD)

    assert came.digest() == sent.digest()


@pytest.mark.parametrize("lab", [DOCKER, PODMAN], indirect=True)
async def test_what_is_not_the_worker_s_or_no_port_is_refused(lab: RelayLab) -> None:
    stranger = TimeOrderedIds(SystemClock()).new("wkr")

    codes = [await why_not(lab, port) for port in (8001, 0, 65_536, -1)]
    foreign = await why_not(lab, 8001, subject_id=stranger)

    assert (codes, foreign) == (["connection_refused", "bad_port", "bad_port", "bad_port"], "container_not_found")


@pytest.mark.parametrize("lab", [DOCKER, PODMAN], indirect=True)
async def test_connections_end_with_their_container(lab: RelayLab) -> None:
    await lab.listen("127.0.0.1", 8001)
    stream = await lab.edge.connect(lab.worker, 8001)
    await stream.write(b"hello")
    await stream.read()

    await lab.engine.stop_container(lab.name, grace_seconds=0)
    ended = await asyncio.gather(everything(stream), return_exceptions=True)
    await lab.server.until_phase(lab.worker, Phase.STOPPED, 1)

    assert [getattr(each, "code", each) for each in ended] in ([b""], ["connection_reset"])
    assert await why_not(lab, 8001) == "worker_not_running"


@pytest.mark.parametrize("engine", [DOCKER, PODMAN])
async def test_a_node_s_owner_limits_how_many_connections_stand_and_for_how_long_they_may_be_silent(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    async with relay_lab(request.getfixturevalue(f"{engine}_url"), tmp_path) as lab:
        await lab.start_agent(SPUNTO_AGENT_MAX_WORKER_CONNECTIONS="1", SPUNTO_AGENT_MAX_IDLE_SECONDS="2")
        await lab.start_worker()
        await lab.listen("127.0.0.1", 8001)
        stream = await lab.edge.connect(lab.worker, 8001)

        beside = await why_not(lab, 8001)
        with pytest.raises(StreamReset) as ended:
            await everything(stream)

    assert (beside, ended.value.code) == ("too_many_connections", "connection_idle")
    assert ended.value.message == "Nothing moved on the connection for 2 seconds."


@pytest.mark.docker
async def test_a_killed_agent_s_streams_are_lost_and_the_next_agent_is_dialled_for(lab: RelayLab) -> None:
    await lab.listen("127.0.0.1", 8001)
    stream = await lab.edge.connect(lab.worker, 8001)
    await stream.write(b"hello")
    await stream.read()

    await lab.kill_agent()
    with pytest.raises(ConnectionLost):
        await everything(stream)
    await lab.start_agent()
    await lab.server.until_phase(lab.worker, Phase.RUNNING, 1)

    assert await echoed(await lab.edge.connect(lab.worker, 8001), b"again") == b"againbye"


@pytest.mark.docker
async def test_an_agent_that_nothing_reaches_is_reached_all_the_same(docker_url: str, tmp_path: Path) -> None:
    with joined_namespace() as far:
        rules = ("-P INPUT DROP", "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
        for rule in rules:
            subprocess.run([*far.inside, "iptables", *rule.split()], check=True)  # noqa: ASYNC221 - a moment
        async with relay_lab(docker_url, tmp_path, host=far.host or "", inside=far.inside) as lab:
            await lab.start_agent()
            await lab.start_worker()
            await lab.listen("127.0.0.1", 8001)

            answer = await echoed(await lab.edge.connect(lab.worker, 8001), b"hello")

    assert answer == b"hellobye"


@pytest.mark.docker
async def test_an_agent_dials_the_edges_that_its_owner_trusts(docker_url: str, tmp_path: Path) -> None:
    async with relay_lab(docker_url, tmp_path) as lab:
        lab.edge.url = f"http://localhost:{lab.edge.port}"
        await lab.start_agent()
        with pytest.raises(Unavailable) as refused:
            await lab.edge.connect(lab.worker, 8001)

        await lab.kill_agent()
        await lab.start_agent(SPUNTO_AGENT_EDGE_HOSTS="edge.example.org, localhost")

        assert refused.value.code == "dial_refused"
        assert await why_not(lab, 8001) == "container_not_found"


async def test_a_ticket_lets_in_once_and_in_time(tmp_path: Path) -> None:
    node_id = NodeId(TimeOrderedIds(SystemClock()).new("nod"))
    async with socket_server(node_id) as server, edge_lab(server) as edge:
        good, late = edge.tickets.new(node_id).reveal(), edge.tickets.new(node_id).reveal()

        first = [await edge.ask_in(f"Bearer {good}") for _ in range(2)]
        elsewhere = await edge.ask_in(f"Bearer {late}", path="/api/tunnel/other")
        edge.clock.advance(LIFE_SECONDS)
        others = [
            await edge.ask_in(each) for each in (f"Bearer {late}", None, "Bearer ", f"Basic {late}", server.token)
        ]

    assert (first, elsewhere, others) == ([101, 404], 404, [404] * 5)
