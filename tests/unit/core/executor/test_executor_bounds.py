"""What the runner keeps within bounds: the owner's limits, subnets, starts at a time, questions to the engine."""

import asyncio
from ipaddress import IPv4Network

from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.node_values import (
    IMAGE,
    OTHER_WORKER,
    a_desired_item,
    desired,
)

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.policy import Limits, Policy
from spunto.core.executor.runtime import (
    Network,
    SubnetTaken,
)
from spunto.core.protocol.messages import Phase


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


async def test_many_workers_get_subnets_of_their_own() -> None:
    node = LivingNode()
    ids = [f"wkr_{number:026}" for number in range(20)]
    async with node.running() as (runner, listener):
        runner.apply(desired(*(a_desired_item(subject_id=each) for each in ids)))
        for each in ids:
            await listener.until_phase(Phase.RUNNING, 1, each)

    assert len({network.subnet for network in await node.runtime.list_networks()}) == 20


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
