"""A node makes no container without its owner's secrets, and keeps them nowhere but in that container."""

import asyncio
import base64
import gc
from dataclasses import replace
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from tests.unit.core.executor.living_node import LivingNode
from tests.unit.core.executor.node_values import WORKER, a_container, a_desired_item, an_item, desired
from tests.unit.core.executor.worker_steps import step

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.actions import Create
from spunto.core.executor.journal import Entry
from spunto.core.executor.kinds.worker import container_spec
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.reading import Reading
from spunto.core.executor.runner import NodeRunner
from spunto.core.executor.runtime import ContainerState, EngineRefused, ExecSpec
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.messages import DesiredItem, Phase
from spunto.core.specs.worker import container_name

NAMES: dict[str, Any] = {"owner_id": "usr_1", "secret_names": ("TOKEN",)}
VALUE = "sesame-open"
SENT = {"TOKEN": base64.b64encode(VALUE.encode()).decode()}


def with_secrets(generation: int = 1, **fields: Any) -> DesiredItem:
    return replace(a_desired_item(generation, **NAMES, **fields), secrets=SENT)


def without_secrets(generation: int = 1) -> DesiredItem:
    return a_desired_item(generation, **NAMES)


async def env_of(runtime: FakeRuntime) -> dict[str, str]:
    running = await runtime.exec(container_name(WORKER), ExecSpec(command=("env",)))
    output = b""
    while (chunk := await running.read()) is not None:
        output += chunk[1]
    return dict(line.split("=", 1) for line in output.decode().splitlines())


def test_the_secret_wins_over_the_project_s_variable_and_the_platform_s_over_all() -> None:
    item = replace(an_item(env={"TOKEN": "project", "SPUNTO_ORG_ID": "project"}), secrets={"TOKEN": Secret("user")})
    assert item.spec is not None

    wanted = container_spec(item, item.spec)

    assert wanted.env == {"SPUNTO_WORKER_ID": WORKER, "SPUNTO_ORG_ID": item.spec.org_id, "TOKEN": "user"}
    assert "user" not in repr(wanted).replace("user=None", "")


def test_without_secrets_nothing_is_made_or_pulled() -> None:
    for ledger in (Ledger(), Ledger(lacked_image_in=1)):
        assert step(Reading().item(without_secrets()), None, ledger) is None


def test_the_making_is_told_without_the_values() -> None:
    action = step(Reading().item(with_secrets()))

    assert isinstance(action, Create)
    assert action.spec.env["TOKEN"] == VALUE
    assert VALUE not in repr(action)
    assert VALUE not in repr(Reading().item(with_secrets()))


def test_a_container_that_is_there_needs_no_secrets() -> None:
    created = a_container(ContainerState.CREATED)

    assert step(Reading().item(without_secrets()), created) is not None


@pytest.mark.parametrize("value", ["no base64!", base64.b64encode(b"\xff").decode()])
def test_secrets_that_can_not_be_read_are_as_a_spec_that_can_not(value: str) -> None:
    assert Reading().item(replace(without_secrets(), secrets={"TOKEN": value})).spec is None


async def test_a_worker_has_its_secrets_and_the_journal_does_not() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(with_secrets(), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)

        assert (await env_of(node.runtime))["TOKEN"] == VALUE
        assert [entry.desired.secrets for entry in node.journal.load()] == [None]
        assert held_by(runner) is None


async def test_after_the_start_no_object_of_the_agent_leads_to_a_secret() -> None:
    node = LivingNode(settings={"lasting_seconds": 1.0})
    async with node.running() as (runner, listener):
        runner.apply(desired(with_secrets(), whole=True))
        await node.while_time_passes(lambda: Phase.RUNNING in listener.phases())

        texts = reachable_from([runner, node.journal])

    assert [text for text in texts if VALUE in text or SENT["TOKEN"] in text] == []
    assert any("SPUNTO" in text or WORKER in text for text in texts)


async def test_the_next_generation_s_secrets_are_kept_out_of_the_journal_too() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(with_secrets(1), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(with_secrets(2, made_in=2)))
        await listener.until_phase(Phase.RUNNING, 2)

    assert [(entry.desired.generation, entry.desired.secrets) for entry in node.journal.load()] == [(2, None)]


async def test_a_restarted_agent_waits_for_the_server_and_then_goes_on() -> None:
    node = LivingNode()
    node.journal.save([Entry(desired=without_secrets(), ledger=Ledger())])
    async with node.running() as (runner, listener):
        await node.while_time_passes(lambda: Phase.CREATING in listener.phases())
        [waiting] = listener.heard
        assert waiting.error == Problem(
            code="secrets_awaited",
            message="The worker waits for its owner's secrets, which the server sends again when it can read them.",
        )
        assert await node.runtime.find_container(container_name(WORKER)) is None

        runner.apply(desired(without_secrets(), whole=True))
        runner.apply(desired(with_secrets(), whole=True))
        await listener.until_phase(Phase.RUNNING, 1)

        assert (await env_of(node.runtime))["TOKEN"] == VALUE


async def test_a_restarted_agent_goes_on_with_a_container_that_has_its_secrets() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(with_secrets(), whole=True))
        first = await listener.until_phase(Phase.RUNNING, 1)

    async with node.running() as (runner, listener):
        again = await listener.until_phase(Phase.RUNNING, 1)
        runner.apply(desired(with_secrets(), whole=True))
        assert held_by(runner) is None

    assert again.container_id == first.container_id
    assert (await env_of(node.runtime))["TOKEN"] == VALUE


async def test_a_container_that_is_made_anew_has_them_too() -> None:
    node = LivingNode()
    node.runtime.fail_next("start_container", EngineRefused("no"))
    async with node.running() as (runner, listener):
        runner.apply(desired(with_secrets()))
        await listener.until_phase(Phase.RUNNING, 1)

    assert (await env_of(node.runtime))["TOKEN"] == VALUE


async def test_a_newer_generation_s_secrets_are_not_taken_by_an_older_one() -> None:
    node = LivingNode()
    async with node.running() as (runner, listener):
        runner.apply(desired(without_secrets(2)))
        await node.while_time_passes(lambda: Phase.CREATING in listener.phases())
        runner.apply(desired(with_secrets(1)))
        await node.while_time_passes(lambda: runner._subjects[WORKER].task is None)

        assert await node.runtime.find_container(container_name(WORKER)) is None


def reachable_from(roots: list[object]) -> list[str]:
    """Every text that the objects lead to, but by way of the engine, of code and of the loop, which all lead to."""
    passed = (FakeRuntime, ModuleType, type, FunctionType, CodeType, asyncio.AbstractEventLoop, asyncio.TaskGroup)
    known, texts, waiting = {id(each): each for each in roots}, [], roots
    while waiting:
        each = waiting.pop()
        if isinstance(each, str | bytes):
            texts.append(each if isinstance(each, str) else each.decode(errors="replace"))
        for other in gc.get_referents(each):
            if id(other) not in known and not isinstance(other, passed):
                known[id(other)] = other
                waiting.append(other)
    return texts


def held_by(runner: NodeRunner) -> Any:
    return runner._subjects[WORKER].item.secrets
