"""Containers that are started, paused and unpaused on the machine itself."""

import pytest
from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.node_values import IMAGE, WORKER, a_desired_item, desired

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.protocol.messages import Phase
from spunto.core.specs.worker import Power, container_name

NAME = container_name(WORKER)


@pytest.mark.parametrize("agent_is_away", [False, True])
async def test_each_start_by_hand_runs_what_each_start_runs(agent_is_away: bool) -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE], now=lambda: node.clock.now()))
    seen = set[str]()

    async def restarted() -> None:
        node.clock.advance(1.0)
        await node.runtime.exit_container(NAME, 143)
        await node.runtime.start_container(NAME)

    def is_set_up() -> bool:
        setup = listener.heard[-1].setup if listener.heard else None
        return setup is not None and setup["phase"] == "ready" and setup["startedAt"] not in seen

    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="echo made", post_start_command="echo begun > /log")))
        await listener.until(is_set_up)
        seen.add((listener.heard[-1].setup or {})["startedAt"])
        node.runtime._containers[NAME].files.own.clear()
        if not agent_is_away:
            await restarted()
            await listener.until(is_set_up)
    if agent_is_away:
        await restarted()
        async with node.running() as (runner, listener):
            await listener.until(is_set_up)

    setup = listener.heard[-1].setup
    assert setup is not None
    assert (setup["postCreate"], setup["postStart"]) == (
        {"exitCode": 0, "outputTail": "made\n"},
        {"exitCode": 0, "outputTail": ""},
    )
    assert node.runtime._containers[NAME].files.read("/log") == b"begun\n"


async def test_a_paused_container_runs_on_is_told_and_stopped() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item()))
        await listener.until_phase(Phase.RUNNING, 1)
        node.runtime.pause_by_hand(NAME)
        await listener.until(lambda: listener.heard[-1].container_state == "paused")
        paused = listener.heard[-1]
        node.runtime.unpause_by_hand(NAME)
        await listener.until(lambda: listener.heard[-1].container_state == "running")
        node.runtime.pause_by_hand(NAME)
        runner.apply(desired(a_desired_item(2, power=Power.STOPPED)))
        await listener.until_phase(Phase.STOPPED, 2)

    assert paused.error is not None
    assert (paused.phase, paused.error.code) == (Phase.RUNNING, "container_paused")
    assert Phase.STOPPED not in listener.phases()[:-1]


async def test_a_setup_waits_until_its_container_is_unpaused() -> None:
    node = LivingNode(runtime=FakeRuntime(images=[IMAGE]), settings={"lasting_seconds": 1.0})
    async with node.running() as (runner, listener):
        runner.apply(desired(a_desired_item(post_create_command="echo made")))
        await node.while_time_passes(lambda: (made := node.runtime._containers.get(NAME)) and made.has_processes)
        node.runtime.pause_by_hand(NAME)
        await node.while_time_passes(lambda: listener.heard and listener.heard[-1].container_state == "paused")
        node.runtime.unpause_by_hand(NAME)
        await node.while_time_passes(lambda: (listener.heard[-1].setup or {}).get("phase") == "ready")

    setup = listener.heard[-1].setup
    assert setup is not None
    assert setup["postCreate"] == {"exitCode": 0, "outputTail": "made\n"}
