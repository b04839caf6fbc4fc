"""The whole product in one process, for tests: no sockets, no sleeping, and a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from spunto.adapters.crypto.keyring import MemoryKeyring
from spunto.adapters.memory.runtime_commands import Command
from spunto.core.access.api_keys import OwnerType
from spunto.core.access.model import Actor
from spunto.core.access.policy import Role, Scope
from spunto.core.executor.policy import Policy
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.model import NodeId
from spunto.core.orgs.model import Organization
from spunto.core.projects.model import Environment, Project
from spunto.core.protocol.stream import Stream
from spunto.core.protocol.transport import Transport
from spunto.core.workers.model import Worker, WorkerId
from spunto.core.workers.views import WorkerView
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.ws.agent_doors import attend
from spunto.testing import settling
from spunto.testing.edge import SimulatedEdge
from spunto.testing.node import DEFAULT_IMAGE, GIB, Machine, SimulatedNode
from spunto.testing.store import BreakableStore

if TYPE_CHECKING:
    import httpx

    from spunto.client.client import SpuntoClient
    from spunto.testing.front import SimulatedFront

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A second person in a harness: who they are to a use case, and their session's token."""

    actor: Actor
    token: Secret


class Harness:
    """Spunto on memory with simulated nodes, which run the real agent code over a fake engine.

    >>> async with Harness() as harness:
    ...     await harness.add_node("one")
    ...     worker = await harness.spawn(await harness.add_project())
    ...     await harness.settle()
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.nodes: dict[str, SimulatedNode] = {}
        self.edge = SimulatedEdge(lambda: self.spunto.links, clock=self.clock)
        self._machines: list[SimulatedNode] = []
        self.spunto: Spunto
        self.owner: Actor
        self.owner_token: Secret
        self.organization: Organization
        self._tasks: asyncio.TaskGroup
        self._store: BreakableStore | None = None
        self._keyring = MemoryKeyring()
        self._front: SimulatedFront | None = None
        self._gateways: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._server_ending = asyncio.Event()
        self._server_running = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        opened = asyncio.Event()
        # A task of its own, because a fixture is left in another task than it was entered in.
        self._life = asyncio.ensure_future(self._live(opened))
        opening = asyncio.ensure_future(opened.wait())
        await asyncio.wait({opening, self._life}, return_when=asyncio.FIRST_COMPLETED)
        opening.cancel()
        self._raise_what_broke()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End everything; raises what broke meanwhile. Repeating is harmless."""
        self._closing.set()
        self._server_ending.set()
        if self._life is not None:
            await self._life

    async def settle(self) -> None:
        """Let everybody work until nobody has anything to do at this hour. No time passes."""
        await settling.settle()
        self._raise_what_broke()

    async def advance(self, seconds: float) -> None:
        """Let time pass: whatever is due happens at its hour and in its order."""
        await settling.advance(self.clock, seconds, passed_over=self._pass_over)
        self._raise_what_broke()

    async def finish(self, work: Awaitable[T], *, max_seconds: float = 600.0) -> T:
        """Let time pass until the work is done; its answer. Raises TimeoutError after `max_seconds` of the clock."""
        return await settling.finish(self.clock, work, max_seconds=max_seconds)

    async def add_node(
        self,
        name: str,
        *,
        cpus: int = 4,
        memory_bytes: int = 8 * GIB,
        labels: Mapping[str, str] | None = None,
        images: Iterable[str] = (DEFAULT_IMAGE,),
        published: Iterable[str] = (),
        commands: Mapping[str, Command] | None = None,
        policy: Policy = Policy(),  # noqa: B008 - frozen
    ) -> SimulatedNode:
        """Enrol a node, start its agent and wait until it is connected.

        `images` lie on its engine, `published` ones are found by a pull; `commands` are further programs for exec.
        `policy` are its owner's limits; what the engine says of its disk is `engine.disk`.
        """
        made = await self.spunto.nodes.create(self.owner, self.organization.id, name=name, labels=labels)
        engine = Machine(
            images=images,
            published=published,
            commands=commands,
            cpu_millis=cpus * 1000,
            memory_bytes=memory_bytes,
            now=self.clock.now,
        )
        node = self.nodes[name] = self._machine(made.node.id, name, made.token, engine)
        node.policy = policy
        node.start_agent()
        await self.settle()
        return node

    async def clone_node(self, node: SimulatedNode) -> SimulatedNode:
        """A second machine with the first one's token and images, as when somebody copies a virtual machine."""
        engine = Machine(images=node.engine.images, published=node.engine.published, now=self.clock.now)
        clone = self._machine(node.id, f"{node.name}-clone", node.token, engine)
        clone.start_agent()
        await self.settle()
        return clone

    async def rotate_token(self, node: SimulatedNode) -> None:
        """Rotate the node's token; its agent has the new one from its next start on."""
        rotated = await self.spunto.nodes.rotate_token(self.owner, self.organization.id, node.id)
        node.token = rotated.token

    async def add_project(self, name: str = "hello", *, image: str = DEFAULT_IMAGE, **environment: Any) -> Project:
        """A project of the owner's; `environment` are fields of Environment."""
        wanted = Environment(image=image, **environment)
        return await self.spunto.projects.create(self.owner, self.organization.id, name=name, environment=wanted)

    async def spawn(self, project: Project, **wishes: Any) -> WorkerView:
        """Ask for a worker, which is `spawning` until the harness settles; `wishes` as for WorkerService.spawn."""
        return await self.spunto.workers.spawn(self.owner, self.organization.id, project.id, **wishes)

    async def worker(self, project: Project, worker_id: WorkerId) -> WorkerView:
        """The worker as it is now. Raises NotFound when it is gone."""
        return await self.spunto.workers.get(self.owner, self.organization.id, project.id, worker_id)

    async def connect_port(self, worker: Worker, port: int) -> Stream:
        """A connection to the worker's port as an edge makes it, without asking who may; see `node.serve_port`."""
        assert worker.node_id is not None  # noqa: S101 - a worker that stands somewhere
        return await self.edge.relays.connect(worker.node_id, worker.id, port)

    @asynccontextmanager
    async def visitor(self, worker: Worker, port: int, token: Secret | None) -> AsyncIterator["httpx.AsyncClient"]:
        """A client at the address of the worker's port, by the edge's own rules: with a session's or key's token, or
        with None as a stranger. See `node.serve_http`."""
        front = await self._open_front()
        async with front.visitor(self.spunto.addresses.url_of(worker.index, worker.id, port), token) as client:
            yield client

    async def add_person(self, name: str, *, role: Role = Role.MEMBER) -> Person:
        """Somebody else in the organization; `client(person.token)` is what they see of it."""
        email = f"{name}@harness.example"
        actor = await self.spunto.enrolment.enrol(
            self.owner, self.organization.id, subject=name, name=name, email=email, role=role
        )
        return Person(actor=actor, token=await self._session_of(actor))

    async def add_key(
        self, *scopes: Scope | str, owner: Actor | None = None, owner_type: OwnerType = OwnerType.USER
    ) -> Secret:
        """An API key's token: the owner's own where nobody else is named, with all scopes where none is."""
        made = await self.spunto.api_keys.create(
            owner or self.owner,
            self.organization.id,
            name="harness",
            owner_type=owner_type,
            scopes=frozenset(map(Scope, scopes or (Scope.ALL,))),
        )
        return made.token

    def client(self, token: Secret | None = None) -> "SpuntoClient":
        """The HTTP client with that token, else the owner's, for `async with harness.client() as client`."""
        # Quart and httpx are needed by nobody who tests without HTTP.
        from spunto.testing.client import client_of

        return client_of(self.spunto, token or self.owner_token, clock=self.clock)

    def break_store(self) -> None:
        """The database goes away: nothing is read and nothing committed until `mend_store`."""
        self._require_store().break_down()

    def mend_store(self) -> None:
        self._require_store().mend()

    async def restart_server(self) -> None:
        """The server dies as by SIGKILL and starts again on the same database; `spunto` is the new one.

        Agents notice at once and dial again as time passes. Clients made before belong to the dead server.
        """
        for gateway in self._gateways:
            gateway.cancel()
        for machine in self._machines:
            machine.lose_server()
        if self._front is not None:
            self._front.lose_server()
        self._server_running.clear()
        self._server_ending.set()
        await self._server_running.wait()

    def _machine(self, node_id: NodeId, name: str, token: Secret, engine: Machine) -> SimulatedNode:
        machine = SimulatedNode(
            node_id,
            name,
            token,
            clock=self.clock,
            engine=engine,
            spawn=self._spawn,
            answer=self._answer,
            answer_as_edge=self.edge.answer,
        )
        self._machines.append(machine)
        return machine

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._tasks.create_task(work, name=name)

    def _answer(self, token: Secret) -> Callable[[Transport], None]:
        def answer(transport: Transport) -> None:
            serving = self._tasks.create_task(attend(self.spunto.gateway, transport, token), name="gateway")
            self._gateways.add(serving)
            serving.add_done_callback(self._gateways.discard)

        return answer

    async def _open_front(self) -> "SimulatedFront":
        """With the first visitor, because it looks at the clock twice a second."""
        if self._front is None:
            # It brings httpx and the edge, which nobody needs who tests without HTTP.
            from spunto.testing.front import SimulatedFront

            _, token = await self.spunto.edges.create("harness")
            self._front = SimulatedFront(
                self.edge, lambda transport: self._attend_edge(transport, token), clock=self.clock, spawn=self._spawn
            )
            await self._front.listen()
            await self.settle()
        return self._front

    def _attend_edge(self, transport: Transport, token: Secret) -> None:
        serving = self._spawn(self.spunto.edge_gateway.serve(transport, token), "edge gateway")
        self._gateways.add(serving)
        serving.add_done_callback(self._gateways.discard)

    def _pass_over(self, seconds: float) -> None:
        """Make what the beats of that time would have made newer as new as they had."""
        self._require_store().keep_leases(seconds)
        for link in self.spunto.links.all().values():
            if link.listed is not None:
                link.listed = replace(link.listed, sampled_at=link.listed.sampled_at + timedelta(seconds=seconds))

    def _require_store(self) -> BreakableStore:
        assert self._store is not None  # noqa: S101 - opened with the harness
        return self._store

    def _open_store(self, wakeups: Wakeups) -> BreakableStore:
        self._store = BreakableStore(wakeups) if self._store is None else self._store.reopened(wakeups)
        return self._store

    async def _session_of(self, actor: Actor) -> Secret:
        assert actor.user_id is not None  # noqa: S101 - a person
        return (await self.spunto.access.open_session(actor.user_id, idle=None)).token

    async def _live(self, opened: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                relaying = self._spawn(self.edge.relays.run(), "edge")
                while not self._closing.is_set():
                    await self._serve_once(opened)
                relaying.cancel()
        finally:
            for machine in self._machines:
                await machine.engine.aclose()

    async def _serve_once(self, opened: asyncio.Event) -> None:
        self._server_ending.clear()
        async with Spunto.on_store(self._open_store, keyring=self._keyring, clock=self.clock) as self.spunto:
            self.owner, self.organization = await self.spunto.bootstrap()
            if not opened.is_set():
                self.owner_token = await self._session_of(self.owner)
                opened.set()
            self._server_running.set()
            await self._server_ending.wait()
            if self._closing.is_set():
                if self._front is not None:
                    await self._front.aclose()
                for machine in self._machines:
                    machine.kill_agent()
                    machine.close_holder()
                if self._gateways:
                    await asyncio.wait(self._gateways)

    def _raise_what_broke(self) -> None:
        if self._life is not None and self._life.done():
            self._life.result()
