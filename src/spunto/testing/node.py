"""A simulated node: a machine with a fake engine, an agent on it, and everything that can happen to them."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.adapters.memory.runtime_ports import PortHandler
from spunto.core.executor.journal import MemoryJournal
from spunto.core.executor.policy import Policy
from spunto.core.executor.reading import Reading
from spunto.core.executor.runtime import Container, ContainerSpec
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.streams.serving import STREAMS
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import NodeId
from spunto.core.specs.names import NODE_LABEL
from spunto.core.specs.worker import container_name
from spunto.testing.agent import Answer, AnswerAsEdge, SimulatedAgent, no_edge
from spunto.testing.holder import SimulatedHolder, Spawn
from spunto.testing.network import Network

if TYPE_CHECKING:
    from spunto.testing.web import Application

GIB = 1024**3
MAX_LOGGED = 1000
DEFAULT_IMAGE = "localhost/spunto/worker:1"


class Machine(FakeRuntime):
    """A fake engine on which an agent can be made to die right after an effect, before it could tell anybody."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._deadly: dict[str, Callable[[], None]] = {}

    def kill_after(self, effect: str, kill: Callable[[], None]) -> None:
        self._deadly = {effect: kill}

    def standing(self) -> Sequence[Container]:
        """Every container there is, whether or not the engine answers."""
        return [self._containers[name].view() for name in sorted(self._containers)]

    def networks(self) -> Sequence[str]:
        return sorted(self._networks)

    def volumes(self) -> Sequence[str]:
        return sorted(self._volumes)

    async def create_container(self, spec: ContainerSpec) -> Container:
        container = await super().create_container(spec)
        await self._die_after("create_container")
        return container

    async def start_container(self, name: str) -> None:
        await super().start_container(name)
        await self._die_after("start_container")

    async def _die_after(self, effect: str) -> None:
        kill = self._deadly.pop(effect, None)
        if kill is not None:
            kill()
            await asyncio.get_running_loop().create_future()  # the dead hear no answer


class SimulatedNode:
    """Made by `Harness.add_node`. `engine` is the fake runtime, with its own script: `hold_pulls`, `fail_next`, …
    `logged` are the agent's newest log lines, `journal` is what outlives the agent, and
    `reading`, `streams` and `policy` are what an agent that is started next understands, announces and allows."""

    def __init__(
        self,
        node_id: NodeId,
        name: str,
        token: Secret,
        *,
        clock: ManualClock,
        engine: Machine,
        spawn: Spawn,
        answer: Callable[[Secret], Answer],
        answer_as_edge: AnswerAsEdge = no_edge,
    ) -> None:
        self.id = node_id
        self.name = name
        self.token = token
        self.engine = engine
        self.agent: SimulatedAgent | None = None
        self.reading = Reading()
        self.streams: Collection[str] = STREAMS
        self.policy = Policy()
        self.logged: deque[dict[str, object]] = deque(maxlen=MAX_LOGGED)
        self._clock = clock
        self._spawn = spawn
        self._answer = answer
        self._answer_as_edge = answer_as_edge
        self._network = Network()
        self.journal = MemoryJournal()
        self._running: asyncio.Task[None] | None = None
        self._runs = 0
        self._holder = SimulatedHolder(engine, clock=clock, spawn=spawn, name=name)

    def start_agent(self) -> None:
        """Start the agent, with the journal of the run before and with the node's present token."""
        assert self._running is None, "the agent runs already"  # noqa: S101 - a mistake in a test
        self._runs += 1
        self.agent = SimulatedAgent(
            self.engine,
            journal=self.journal,
            clock=self._clock,
            settings=self._settings(),
            network=self._network,
            answer=self._answer(self.token),
            answer_as_edge=self._answer_as_edge,
            reading=self.reading,
            streams=self.streams,
            terminals=self._holder,
            log=self._note,
        )
        self._running = self._spawn(self.agent.run(), f"agent of {self.name}")

    def _note(self, event: str, /, **fields: object) -> None:
        self.logged.append({"event": event, **fields})

    def kill_agent(self) -> None:
        """The agent dies at once, as by SIGKILL: its containers stay, its journal too, and nobody is told."""
        if self.agent is None or self._running is None:
            return
        self.journal = self.journal.copy()
        self.agent.drop_connection()
        self._running.cancel()
        self.agent = self._running = None

    async def kill_holder(self) -> None:
        """The process that holds the terminals dies, and is there again at once, without them: they are lost."""
        await self._holder.die()

    def close_holder(self) -> None:
        """The harness ends."""
        self._holder.close()

    def kill_agent_after(self, effect: str) -> None:
        """Kill it right after its next `create_container` or `start_container`, before it can report."""
        self.engine.kill_after(effect, self.kill_agent)

    def restart_agent(self) -> None:
        self.kill_agent()
        self.start_agent()

    def lose_journal(self) -> None:
        """The next run of the agent begins without a memory."""
        self.journal = MemoryJournal()

    def disconnect(self) -> None:
        """The node's network goes down, and both ends notice."""
        self._network.go_down()

    def lose_server(self) -> None:
        """The server dies: its ends of the connections are gone, and the agent dials until it is back."""
        self._network.lose_connections()

    def partition(self) -> None:
        """Nothing gets through to the node any more, and nobody notices before the heartbeats do."""
        self._network.fall_silent()

    async def reconnect(self) -> None:
        """The network is back, after `disconnect` or `partition`."""
        await self._network.come_back()

    async def break_engine(self) -> None:
        """The engine stops answering; containers run on."""
        await self.engine.break_engine()

    def mend_engine(self) -> None:
        self.engine.mend_engine()

    async def remove_by_hand(self, worker_id: str) -> None:
        """Somebody removes the worker's container on the machine itself."""
        await self.engine.remove_by_hand(container_name(worker_id))

    def serve_port(
        self,
        worker_id: str,
        port: int,
        handler: PortHandler,
        *,
        address: str = "0.0.0.0",
        process: str = "program",
    ) -> None:
        """A program of the worker's listens on the port; it is called for each connection, until the container ends."""
        self.engine.serve_port(container_name(worker_id), port, handler, address=address, process=process)

    def serve_http(self, worker_id: str, port: int, application: "Application") -> None:
        """An ASGI application listens on the worker's port, until the container ends; see `Harness.visitor`."""
        # h11 comes with httpx, which nobody needs who tests without HTTP.
        from spunto.testing.web import serving

        self.serve_port(worker_id, port, serving(application), process="application")

    def containers(self) -> Sequence[Container]:
        """What stands on the machine and carries the node's label, running or not, whoever may know of it."""
        return [each for each in self.engine.standing() if each.labels.get(NODE_LABEL) == self.id]

    def _settings(self) -> NodeSettings:
        return NodeSettings(
            node_id=self.id,
            instance_id=f"{self.name}-{id(self.engine):x}-{self._runs}",
            boot_id=f"{self.name}-boot",
            agent_version="harness",
            engine="fake",
            policy=self.policy,
            cpu_overcommit=1.0,
            lasting_seconds=0.0,
        )
