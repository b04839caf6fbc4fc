"""Random wishes under random faults: once everything is whole again, all that was acknowledged is true."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.unit.journeys.steps import Subject, node_of, running

from spunto.core.executor.runtime import EngineUnavailable
from spunto.core.kernel.errors import Conflict
from spunto.core.nodes.model import Demand
from spunto.core.projects.model import Project
from spunto.core.workers.model import DockerState, WorkerState
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode

T = TypeVar("T")
S = WorkerState
MAX_WORKERS = 4
HEALING_SECONDS = 120
EFFECTS = ("create_container", "start_container")
ENGINE_CALLS = (*EFFECTS, "ensure_network", "stop_container", "remove_container", "remove_network", "list_containers")
UP, DOWN, GONE = "up", "down", "gone"
ALLOWED = {UP: {S.READY}, DOWN: {S.STOPPED}}

which = st.integers(min_value=0, max_value=MAX_WORKERS - 1)
nodes = st.sampled_from(["one", "two"])


@dataclass(slots=True, kw_only=True)
class Promise:
    """What was acknowledged of one worker; `disturbed` when somebody has ended its container since."""

    subject: Subject
    wish: str = UP
    disturbed: bool = False

    def allows(self, state: WorkerState) -> bool:
        return state in ALLOWED[self.wish] or (self.disturbed and state in (S.READY, S.ERROR, S.STOPPED))


class RandomLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.harness = Harness()
        self.promises: list[Promise] = []
        self.project: Project

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize()
    def open(self) -> None:
        async def open_all() -> None:
            await self.harness.__aenter__()
            for name in ("one", "two"):
                await self.harness.add_node(name, cpus=3, published=["pulled"])
            self.project = await self.harness.add_project(
                image="pulled", post_create_command="echo made", post_start_command="echo started"
            )

        self.run(open_all())

    def node(self, name: str) -> SimulatedNode:
        return self.harness.nodes[name]

    @precondition(lambda self: len(self.promises) < MAX_WORKERS)
    @rule()
    def spawn(self) -> None:
        async def spawn() -> None:
            try:
                view = await self.harness.spawn(self.project)
            except Conflict as conflict:
                assert conflict.code == "no_node_available"  # noqa: PT017 - any other refusal is a mistake
                return
            subject = Subject(harness=self.harness, project=self.project, id=view.worker.id)
            self.promises.append(Promise(subject=subject))

        self.run(spawn())

    @rule(which=which, wish=st.sampled_from([UP, DOWN, GONE]))
    def wish(self, which: int, wish: str) -> None:
        if which >= len(self.promises) or self.promises[which].wish == GONE:
            return
        promise = self.promises[which]
        ask = {UP: promise.subject.start, DOWN: promise.subject.stop, GONE: promise.subject.destroy}[wish]

        async def acknowledged() -> bool:
            try:
                await ask()
            except Conflict as conflict:
                assert wish != GONE
                assert conflict.code in ("worker_state", "no_node_available")  # noqa: PT017 - nor other refusals
                return False
            return True

        before = self.run(promise.subject.state())
        if self.run(acknowledged()):
            changes = wish != UP or before not in (S.SPAWNING, S.STARTING, S.READY)
            promise.wish, promise.disturbed = wish, promise.disturbed and not changes

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 10.0, 31.0, 50.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.harness.advance(seconds))

    @rule(name=nodes, fault=st.sampled_from(["disconnect", "partition", "kill_agent", "lose_journal", "hold_pulls"]))
    def break_node(self, name: str, fault: str) -> None:
        async def do() -> None:
            node = self.node(name)
            {
                "disconnect": node.disconnect,
                "partition": node.partition,
                "kill_agent": node.kill_agent,
                "lose_journal": node.lose_journal,
                "hold_pulls": node.engine.hold_pulls,
            }[fault]()

        self.run(do())

    @rule(name=nodes, effect=st.sampled_from(EFFECTS))
    def arm_a_crash(self, name: str, effect: str) -> None:
        self.node(name).kill_agent_after(effect)

    @rule(name=nodes, method=st.sampled_from(ENGINE_CALLS))
    def arm_a_failure(self, name: str, method: str) -> None:
        self.node(name).engine.fail_next(method, EngineUnavailable("hiccup"))

    @rule(name=nodes)
    def break_engine(self, name: str) -> None:
        self.run(self.node(name).break_engine())

    @rule(name=nodes, mend=st.sampled_from(["reconnect", "start_agent", "engine", "pulls"]))
    def mend(self, name: str, mend: str) -> None:
        self.run(self._mend(self.node(name), mend))

    async def _mend(self, node: SimulatedNode, mend: str) -> None:
        if mend == "reconnect":
            await node.reconnect()
        elif mend == "start_agent":
            node.restart_agent()
        elif mend == "engine":
            node.mend_engine()
        else:
            node.engine.release_pulls()

    @rule(which=which, how=st.sampled_from(["removed", "ended"]))
    def disturb(self, which: int, how: str) -> None:
        if which >= len(self.promises) or self.promises[which].wish == GONE:
            return
        promise = self.promises[which]

        async def do() -> None:
            worker = await promise.subject.get()
            node = next(each for each in self.harness.nodes.values() if each.id == worker.node_id)
            if promise.subject.container in [each.name for each in node.containers()]:
                promise.disturbed = True
                if how == "removed":
                    await node.remove_by_hand(worker.id)
                else:
                    await node.engine.exit_container(promise.subject.container, 1)

        self.run(do())

    @rule()
    def heal_and_compare(self) -> None:
        self.run(self._heal())
        self.run(self._compare())

    async def _heal(self) -> None:
        for node in self.harness.nodes.values():
            node.engine.kill_after("nothing", lambda: None)
            for mend in ("pulls", "engine", "reconnect"):
                await self._mend(node, mend)
            if node.agent is None:
                node.start_agent()
        await self.harness.advance(HEALING_SECONDS)

    async def _compare(self) -> None:
        standing: dict[str, list[str]] = {name: [] for name in self.harness.nodes}
        ready: dict[str, int] = dict.fromkeys(self.harness.nodes, 0)
        for promise in self.promises:
            if promise.wish == GONE:
                assert await promise.subject.is_gone()
                continue
            view = await promise.subject.view()
            worker = view.worker
            assert promise.allows(worker.state), (promise.wish, worker.state, worker.problem)
            [name] = [name for name, node in self.harness.nodes.items() if node.id == worker.node_id]
            standing[name].append(promise.subject.container)
            runs = promise.subject.container in running(self.node(name))
            assert runs == (worker.state is S.READY) == (view.docker_state is DockerState.RUNNING)
            ready[name] += worker.state is S.READY
        for name, machine in self.harness.nodes.items():
            assert {each.name for each in machine.engine.standing()} <= set(standing[name])
            assert set(machine.engine.networks()) <= {f"{each}-net" for each in standing[name]}
            assert set(machine.engine.volumes()) <= {f"{each}-workspace" for each in standing[name]}
            node = await node_of(self.harness, machine)
            assert (node.connected, node.quarantine) == (True, None)
            assert node.assignments == ready[name]
            assert node.reserved == Demand(cpu_millis=1000 * ready[name], memory_bytes=1024**3 * ready[name])
        self.promises = [promise for promise in self.promises if promise.wish != GONE]

    def teardown(self) -> None:
        try:
            self.heal_and_compare()
        finally:
            self.run(self.harness.aclose())
            self.loop.close()


TestRandomLife = RandomLife.TestCase
TestRandomLife.settings = settings(
    max_examples=min(25, settings().max_examples),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
