"""The fake engine keeps the contract, and fails as it is told to."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.adapters.memory.runtime_events import MAX_EVENTS_BEHIND
from spunto.core.executor.port_connection import PortConnection
from spunto.core.executor.runtime import (
    ContainerState,
    EngineRefused,
    EngineUnavailable,
    ExecSpec,
    Network,
)
from spunto.testing.contracts.container_lab import Lab, Mortal, StalledImage, a_subnet
from spunto.testing.contracts.container_ports import LAST_WORD, LISTENER, Listening
from spunto.testing.contracts.container_runtime import ContainerRuntimeContract


@pytest.fixture
async def runtime(image: str, terminal_image: str) -> AsyncIterator[FakeRuntime]:
    runtime = FakeRuntime(images=[image, terminal_image], published=["registry/app:1"])
    yield runtime
    await runtime.aclose()


@pytest.fixture
async def network(runtime: FakeRuntime) -> str:
    network = Network(name="shared", subnet="10.214.0.0/28", labels={})
    await runtime.ensure_network(network)
    return network.name


async def _echo(connection: PortConnection) -> None:
    while (data := await connection.read()) is not None:
        await connection.write(data)
    await connection.write(LAST_WORD)


class TestFakeRuntime(ContainerRuntimeContract):
    @pytest.fixture
    def listening(self, runtime: FakeRuntime) -> Listening:
        async def listen(_: Lab, name: str, address: str, port: int) -> None:
            bound = "10.214.0.2" if address == "own" else address
            runtime.serve_port(name, port, _echo, address=bound, process=LISTENER)

        return listen

    @pytest.fixture
    def stalled_image(self, runtime: FakeRuntime) -> StalledImage:
        runtime.hold_pulls()
        return StalledImage(name="registry/app:1", asked_for=runtime.pull_begun)

    @pytest.fixture
    def mortal(self, runtime: FakeRuntime) -> Mortal:
        async def mend() -> None:
            runtime.mend_engine()

        return Mortal(runtime=runtime, end=runtime.break_engine, bring_back=mend)

    async def test_a_held_pull_goes_on_when_it_is_released(self, runtime: FakeRuntime) -> None:
        runtime.hold_pulls()
        pull = asyncio.create_task(runtime.pull_image("registry/app:1"))
        await runtime.pull_begun.wait()
        before = await runtime.has_image("registry/app:1")

        runtime.release_pulls()
        await pull

        assert (before, await runtime.has_image("registry/app:1")) == (False, True)

    async def test_a_scripted_fault_happens_once_and_nothing_else_does(self, lab: Lab, runtime: FakeRuntime) -> None:
        spec = lab.a_spec()
        await runtime.create_container(spec)
        runtime.fail_next("start_container", EngineRefused("no space left on device"))

        with pytest.raises(EngineRefused, match="no space left"):
            await runtime.start_container(spec.name)
        after_fault = await runtime.find_container(spec.name)
        await runtime.start_container(spec.name)
        after_retry = await runtime.find_container(spec.name)

        assert after_fault is not None
        assert after_retry is not None
        assert (after_fault.state, after_retry.state) == (ContainerState.CREATED, ContainerState.RUNNING)

    async def test_a_container_killed_for_memory_says_so(self, lab: Lab, runtime: FakeRuntime) -> None:
        name = await lab.started()

        await runtime.exit_container(name, 137, oom_killed=True)

        ended = await runtime.find_container(name)
        assert ended is not None
        assert (ended.state, ended.exit_code, ended.oom_killed) == (ContainerState.EXITED, 137, True)

    async def test_containers_outlive_a_broken_engine_but_their_commands_do_not(
        self, lab: Lab, runtime: FakeRuntime
    ) -> None:
        name = await lab.started()
        cat = await runtime.exec(name, ExecSpec(command=["cat"]))

        await runtime.break_engine()
        output = await cat.read()
        with pytest.raises(EngineUnavailable):
            await cat.exit_code()
        runtime.mend_engine()

        found = await runtime.find_container(name)
        assert output is None
        assert found is not None
        assert found.state is ContainerState.RUNNING

    async def test_a_subscriber_too_far_behind_has_to_list_again(self, lab: Lab, runtime: FakeRuntime) -> None:
        events = runtime.events(label=lab.label)

        for number in range(MAX_EVENTS_BEHIND + 1):
            await runtime.create_container(lab.a_spec(name=f"spunto-test-{number}"))

        with pytest.raises(EngineUnavailable):
            await anext(events)

    async def test_a_removed_network_frees_its_subnet(self, runtime: FakeRuntime) -> None:
        subnet = a_subnet()
        await runtime.ensure_network(Network(name="one", subnet=subnet, labels={}))

        await runtime.remove_network("one")
        await runtime.ensure_network(Network(name="two", subnet=subnet, labels={}))

        assert "two" in [network.name for network in await runtime.list_networks()]
