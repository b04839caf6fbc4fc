"""The runner brings about what is wanted on the fake engine, through crashes, absences and interference."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Network

import orjson
import pytest
from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.node_values import (
    IMAGE,
    NODE,
    OTHER_WORKER,
    WORKER,
    a_desired_item,
    desired,
)

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.journal import Entry, MemoryJournal
from spunto.core.executor.policy import Limits, Policy
from spunto.core.executor.runtime import (
    Container,
    ContainerSpec,
    ContainerState,
    EngineUnavailable,
    Network,
    SubnetTaken,
)
from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power, container_name, network_name

NAME = container_name(WORKER)
ABSENT = a_desired_item(9, wanted=Wanted.ABSENT)


async def everything_on(runtime: FakeRuntime) -> tuple[list[Container], list[Network]]:
    return await runtime.list_containers(label=f"spunto.node={NODE}"), await runtime.list_networks()


async def test_a_spawned_worker_runs_with_its_limits_labels_network_and_workspace() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(env={"COLOUR": "blue"}), whole=True))
        running = await listener.until_phase(Phase.RUNNING, 1)

    (container,), (network,) = await everything_on(node.runtime)
    assert (running.container_id, running.container_state) == (container.container_id, "running")
    assert running.setup is not None
    assert running.setup["phase"] == "ready"
    assert container.labels == {
        "spunto.node": NODE,
        "spunto.org": "org_00000000000000000000000000",
        "spunto.kind": "worker",
        "spunto.id": WORKER,
        "spunto.generation": "1",
    }
    assert (network.name, network.subnet) == (network_name(WORKER), "10.208.0.0/28")


async def test_a_quick_spawn_reports_only_its_end() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)

    assert listener.phases() == [Phase.RUNNING]


async def test_what_takes_its_time_is_reported_on_the_way() -> None:
    node = LivingNode(runtime=FakeRuntime(published=[IMAGE]))
    node.runtime.hold_pulls()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: Phase.PULLING in listener.phases())
        node.runtime.release_pulls()
        await listener.until_phase(Phase.RUNNING, 1)

    assert listener.phases() == [Phase.PULLING, Phase.RUNNING]


async def test_stop_start_and_destroy_leave_nothing_behind() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        first = await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED)))
        stopped = await listener.until_phase(Phase.STOPPED, 2)
        runner.apply(desired(a_desired_item(3)))
        again = await listener.until_phase(Phase.RUNNING, 3)
        runner.apply(desired(ABSENT))
        gone = await listener.until_phase(Phase.ABSENT, 9)
        runner.forget([WORKER])

    assert stopped.exit_code == 143
    assert first.container_id == again.container_id
    assert (gone.container_id, gone.container_state) == (None, "not_found")
    assert await everything_on(node.runtime) == ([], [])
    assert node.journal.load() == []


async def test_a_rebuild_replaces_the_container() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        first = await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, made_in=2)))
        second = await listener.until_phase(Phase.RUNNING, 2)

    (container,), _ = await everything_on(node.runtime)
    assert first.container_id != second.container_id == container.container_id


async def test_destroying_breaks_a_pull_off() -> None:
    node = LivingNode(runtime=FakeRuntime(published=[IMAGE]))
    node.runtime.hold_pulls()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await node.runtime.pull_begun.wait()
        runner.apply(desired(ABSENT))
        await listener.until_phase(Phase.ABSENT, 9)

    assert await everything_on(node.runtime) == ([], [])


async def test_a_stale_desire_changes_nothing_and_is_answered_by_what_stands() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(3)))
        await listener.until_phase(Phase.RUNNING, 3)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED), a_desired_item(3, power=Power.STOPPED)))
        runner.apply(desired(a_desired_item(1, subject_id=OTHER_WORKER)))
        await listener.until_phase(Phase.RUNNING, 1, OTHER_WORKER)

    assert [(item.phase, item.generation) for item in listener.heard if item.id == WORKER] == 2 * [(Phase.RUNNING, 3)]


@pytest.mark.parametrize("journal_is_kept", [True, False])
async def test_a_killed_agent_adopts_its_containers(journal_is_kept: bool) -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        before = await listener.until_phase(Phase.RUNNING, 1)
    if not journal_is_kept:
        node.journal = MemoryJournal()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(), whole=True))
        after = await listener.until_phase(Phase.RUNNING, 1)

    assert after.container_id == before.container_id
    assert len((await everything_on(node.runtime))[0]) == 1


async def test_an_agent_without_a_server_goes_on_by_its_journal() -> None:
    node = LivingNode()
    await node.runtime.break_engine()
    async with node.running(attached=False) as (runner, _):
        runner.apply(desired(a_desired_item()))
    node.runtime.mend_engine()

    async with node.running() as (_, listener):
        running = await listener.until_phase(Phase.RUNNING, 1)

    assert running.container_state == "running"


async def test_a_container_that_ended_is_told_and_not_started_again() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.exit_container(NAME, 3)
        stopped = await listener.until_phase(Phase.STOPPED, 1)
    async with node.running() as (_, listener):
        still = await listener.until_phase(Phase.STOPPED, 1)

    assert (stopped.exit_code, still.exit_code) == (3, 3)


async def test_a_container_killed_for_want_of_memory_says_so() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.exit_container(NAME, 137, oom_killed=True)
        stopped = await listener.until_phase(Phase.STOPPED, 1)

    assert stopped.error is not None
    assert stopped.error.code == "out_of_memory"


async def test_a_container_removed_by_hand_is_lost_until_the_next_start_makes_it_anew() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.remove_by_hand(NAME)
        lost = await listener.until_phase(Phase.FAILED, 1)
        runner.apply(desired(a_desired_item(2)))
        await listener.until_phase(Phase.RUNNING, 2)

    assert lost.error is not None
    assert (lost.error.code, lost.container_state) == ("container_lost", "not_found")


async def test_what_happened_while_nobody_listened_shows_in_the_next_list() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        await node.runtime.break_engine()
        await node.while_time_passes(lambda: listener.inventories[-1][1].error)
        node.runtime.mend_engine()
        await node.runtime.exit_container(NAME, 4)
        await node.while_time_passes(lambda: listener.phases()[-1] is Phase.STOPPED)


async def test_an_engine_that_is_away_is_reported_and_waited_for() -> None:
    node = LivingNode()
    await node.runtime.break_engine()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: listener.inventories)
        node.runtime.mend_engine()
        await node.while_time_passes(lambda: listener.phases() == [Phase.RUNNING])

    assert listener.inventories[0][1].error is not None
    assert listener.inventories[-1][1].error is None


async def test_an_engine_that_goes_in_the_middle_of_a_spawn_does_not_fail_it() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        for method in ("create_container", "start_container", "start_container"):
            node.runtime.fail_next(method, EngineUnavailable("restarting"))
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: Phase.RUNNING in listener.phases())

    assert Phase.FAILED not in listener.phases()
    assert len((await everything_on(node.runtime))[0]) == 1


async def test_an_image_that_does_not_exist_fails_with_the_engine_s_words() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(image="nope:1")))
        failed = await listener.until_phase(Phase.FAILED, 1)
        runner.apply(desired(a_desired_item(2)))
        await listener.until_phase(Phase.RUNNING, 2)

    assert failed.error is not None
    assert failed.error.code == "image_not_found"
    assert "manifest unknown" in failed.error.message


async def test_somebody_else_s_container_of_that_name_is_never_touched() -> None:
    node = LivingNode()
    foreign = ContainerSpec(
        name=NAME, image=IMAGE, network="bridge", hostname="x", labels={}, cpu_millis=1, memory_bytes=1, pids=1
    )
    await node.runtime.create_container(foreign)
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        failed = await listener.until_phase(Phase.FAILED, 1)
        runner.apply(desired(ABSENT))
        await listener.until_phase(Phase.ABSENT, 9)

    assert failed.error is not None
    assert failed.error.code == "container_name_taken"
    assert await node.runtime.find_container(NAME) is not None


async def test_an_unknown_container_of_the_node_is_shown_and_left_alone() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(whole=True))
        listener.inventories.clear()
        await node.while_time_passes(lambda: listener.inventories)

    (item,) = listener.inventories[0][0]
    assert (item.name, item.kind, item.id, item.generation, item.docker_state) == (NAME, "worker", WORKER, 1, "running")
    assert runner.standing(WORKER) is None
    assert node.journal.load() == []


async def test_a_whole_set_in_parts_lets_go_only_after_the_last() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        for subject_id in (WORKER, OTHER_WORKER):
            runner.apply(desired(a_desired_item(subject_id=subject_id)))
            await listener.until_phase(Phase.RUNNING, 1, subject_id)
        runner.apply(desired(a_desired_item(), whole=True, more=True))
        runner.apply(desired(a_desired_item(subject_id=OTHER_WORKER), whole=True))

    assert len(node.journal.load()) == 2


async def test_an_absence_that_is_not_reached_is_not_forgotten() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.forget([WORKER, "wkr_unknown"])

        assert runner.standing(WORKER) is not None


async def test_nobody_reaches_into_what_is_to_be_gone() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(ABSENT))

        assert runner.standing(WORKER) is None


async def test_a_new_connection_is_told_everything() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        heard = list(listener.heard)
        runner.detach(listener)
        listener.heard.clear()
        runner.attach(listener)

        assert listener.heard == heard


async def test_a_connection_that_breaks_while_it_is_told_costs_nothing() -> None:
    class Broken:
        def observed(self, items: Sequence[object]) -> None:
            raise Unavailable("connection_lost", "gone")

        def inventory(self, items: Sequence[object], *, engine: object, disk: object, sampled_at: object) -> None:
            raise Unavailable("connection_lost", "gone")

    node = LivingNode()
    async with node.running(attached=False) as (runner, listener):
        runner.attach(Broken())
        runner.apply(desired(a_desired_item()))
        await node.while_time_passes(lambda: runner.standing(WORKER))
        runner.attach(listener)
        await listener.until_phase(Phase.RUNNING, 1)


async def test_the_owner_s_limits_hold_whatever_is_asked_for() -> None:
    node = LivingNode(settings={"policy": Policy(limits={"worker": Limits(max_count=1, max_cpu_millis=2000)})})
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1, cpu_millis=4000)))
        too_large = await listener.until_phase(Phase.FAILED, 1)
        runner.apply(desired(a_desired_item(2)))
        await listener.until_phase(Phase.RUNNING, 2)
        runner.apply(desired(a_desired_item(subject_id=OTHER_WORKER)))
        too_many = await listener.until_phase(Phase.FAILED, 1, OTHER_WORKER)

    assert too_large.error is not None
    assert too_many.error is not None
    assert {too_large.error.code, too_many.error.code} == {"node_policy"}


async def test_a_subnet_that_somebody_took_is_evaded() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        await node.while_time_passes(lambda: listener.inventories)
        await node.runtime.ensure_network(Network(name="theirs", subnet="10.208.0.0/27", labels={}))
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)

    assert (await node.runtime.list_networks())[-1].subnet == "10.208.0.32/28"


async def test_a_subnet_that_the_engine_refuses_without_listing_why_is_evaded() -> None:
    class Routed(FakeRuntime):
        async def ensure_network(self, network: Network) -> None:
            if network.subnet == "10.208.0.0/28":
                raise SubnetTaken(network.subnet)
            await super().ensure_network(network)

    node = LivingNode(runtime=Routed(images=[IMAGE]))
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)

    assert [network.subnet for network in await node.runtime.list_networks()] == ["10.208.0.16/28"]


async def test_a_full_pool_fails_with_a_way_out() -> None:
    node = LivingNode(settings={"subnet_pool": IPv4Network("10.208.0.0/28")})
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(subject_id=OTHER_WORKER)))
        failed = await listener.until_phase(Phase.FAILED, 1, OTHER_WORKER)

    assert failed.error is not None
    assert failed.error.code == "no_free_subnet"


async def test_a_stop_breaks_a_setup_off_and_the_worker_says_so() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1, post_create_command="sleep 1000")))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED, post_create_command="sleep 1000")))
        stopped = await listener.until_phase(Phase.STOPPED, 2)

    assert stopped.setup is not None
    assert (stopped.setup["phase"], stopped.setup["postCreate"]["exitCode"]) == ("error", None)


async def test_many_workers_get_subnets_of_their_own() -> None:
    node = LivingNode()
    ids = [f"wkr_{number:026}" for number in range(20)]
    async with node.running() as (runner, listener):
        runner.apply(desired(*(a_desired_item(subject_id=each) for each in ids)))
        for each in ids:
            await listener.until_phase(Phase.RUNNING, 1, each)

    assert len({network.subnet for network in await node.runtime.list_networks()}) == 20


async def test_setup_runs_in_the_workspace_and_its_status_stands_in_the_container() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="pwd", post_start_command="exit 3")))
        await listener.until(lambda: listener.heard and (listener.heard[-1].setup or {}).get("phase") == "error")
        setup = listener.heard[-1].setup
        written = node.runtime._containers[NAME].files
        await node.while_time_passes(lambda: written.read("/tmp/mp-status.json") == orjson.dumps(setup))

    assert setup is not None
    assert setup["postCreate"] == {"exitCode": 0, "outputTail": "/workspace\n"}
    assert setup["postStart"] == {"exitCode": 3, "outputTail": ""}
    assert listener.phases() == [Phase.RUNNING] * 3


async def test_a_superseded_agent_begins_nothing_until_it_is_told_everything_anew() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        await node.while_time_passes(lambda: listener.inventories)
        runner.stand_down()
        runner.apply(desired(a_desired_item()))
        listener.inventories.clear()
        await node.while_time_passes(lambda: len(listener.inventories) > 1)
        nothing = await everything_on(node.runtime)
        runner.apply(desired(a_desired_item(), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)

    assert nothing == ([], [])


async def test_a_journal_that_can_not_be_written_does_not_stop_the_node() -> None:
    class FullDisk(MemoryJournal):
        def save(self, entries: Sequence[Entry]) -> None:
            raise Unavailable("journal_unavailable", "disk full")

    node = LivingNode(journal=FullDisk())
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(ABSENT))
        await listener.until_phase(Phase.ABSENT, 9)

    assert "journal_failed" in node.events


async def test_a_spawn_asks_the_engine_for_nothing_that_it_does_not_need() -> None:
    class Counting(FakeRuntime):
        def __init__(self) -> None:
            super().__init__(images=[IMAGE])
            self.calls: list[str] = []

        async def _enter(self, method: str) -> None:
            self.calls.append(method)
            await super()._enter(method)

    runtime = Counting()
    node = LivingNode(runtime=runtime)
    async with node.running() as (runner, listener):
        await node.while_time_passes(lambda: "events" in runtime.calls and listener.inventories)
        runtime.calls.clear()
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        calls = list(runtime.calls)

    assert calls == ["ensure_network", "create_container", "start_container", "find_container"]


async def test_no_more_starts_than_allowed_go_on_at_a_time() -> None:
    class Busy(FakeRuntime):
        under_way = most = 0

        async def start_container(self, name: str) -> None:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            for _ in range(10):
                await asyncio.sleep(0)
            await super().start_container(name)
            self.under_way -= 1

    runtime = Busy(images=[IMAGE])
    node = LivingNode(runtime=runtime, settings={"concurrent_starts": 2})
    ids = [f"wkr_{number:026}" for number in range(6)]
    async with node.running() as (runner, listener):
        runner.apply(desired(*(a_desired_item(subject_id=each) for each in ids)))
        for each in ids:
            await listener.until_phase(Phase.RUNNING, 1, each)

    assert runtime.most == 2


async def test_a_stopped_container_started_by_hand_is_stopped_again() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(1)))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED)))
        await listener.until_phase(Phase.STOPPED, 2)
        await node.runtime.start_container(NAME)
        container = node.runtime._containers[NAME]
        await node.while_time_passes(lambda: container.state is ContainerState.EXITED)
