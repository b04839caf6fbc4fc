"""What every container engine adapter guarantees."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from spunto.core.executor.runtime import (
    ContainerGone,
    ContainerRuntime,
    ContainerState,
    EngineEvent,
    EngineRefused,
    EngineUnavailable,
    ExecSpec,
    ImageNotFound,
    Mount,
    SubnetTaken,
)
from spunto.core.kernel.errors import Conflict
from spunto.testing.contracts.container_commands import ContainerCommandContract
from spunto.testing.contracts.container_disk import ContainerDiskContract
from spunto.testing.contracts.container_files import ContainerFileContract
from spunto.testing.contracts.container_lab import (
    PATIENCE_SECONDS,
    Lab,
    Mortal,
    StalledImage,
    a_subnet,
    events_until,
    lines,
)
from spunto.testing.contracts.container_ports import ContainerPortContract


class ContainerRuntimeContract(
    ContainerCommandContract, ContainerDiskContract, ContainerFileContract, ContainerPortContract
):
    """Subclasses give `runtime`, `network` (the name of one that is there), `stalled_image`, `mortal`, `listening`."""

    # Containers.

    async def test_a_created_container_is_found_but_does_not_run(self, lab: Lab) -> None:
        spec = lab.a_spec()

        created = await lab.runtime.create_container(spec)

        assert created == await lab.runtime.find_container(spec.name)
        assert (created.name, created.state, created.image) == (spec.name, ContainerState.CREATED, spec.image)
        assert created.labels.items() >= lab.labels.items()
        assert created.started_at is None
        assert created.exit_code is None

    async def test_a_started_container_runs_and_is_listed_by_its_label(self, lab: Lab) -> None:
        name = await lab.started()

        by_value = await lab.runtime.list_containers(label=lab.label)
        by_key = await lab.runtime.list_containers(label="spunto.test")
        by_other = await lab.runtime.list_containers(label=f"{lab.label}x")

        assert [(container.name, container.state) for container in by_value] == [(name, ContainerState.RUNNING)]
        assert by_value == [await lab.runtime.find_container(name)]
        assert by_value[0].started_at is not None
        assert name in [container.name for container in by_key]
        assert by_other == []

    async def test_an_unknown_name_is_not_found(self, lab: Lab) -> None:
        assert await lab.runtime.find_container(f"spunto-test-{lab.suffix}-none") is None

    async def test_creating_again_adopts_the_container(self, lab: Lab) -> None:
        first = await lab.runtime.create_container(lab.a_spec())

        again = await lab.runtime.create_container(lab.a_spec())

        assert again == first

    async def test_a_name_taken_by_other_labels_conflicts(self, lab: Lab) -> None:
        await lab.runtime.create_container(lab.a_spec())

        with pytest.raises(Conflict) as caught:
            await lab.runtime.create_container(lab.a_spec(labels={**lab.labels, "spunto.generation": "2"}))

        assert caught.value.code == "container_name_taken"

    async def test_a_container_is_renamed_once_running_or_not_and_frees_its_name(self, lab: Lab) -> None:
        name = await lab.started()
        before = await lab.runtime.find_container(name)
        assert before is not None

        for _ in range(2):
            await lab.runtime.rename_container(name, f"{name}-kept")
        other = await lab.runtime.create_container(lab.a_spec())

        assert await lab.runtime.find_container(f"{name}-kept") == replace(before, name=f"{name}-kept")
        with pytest.raises(Conflict) as caught:
            await lab.runtime.rename_container(other.name, f"{name}-kept")
        assert caught.value.code == "container_name_taken"
        with pytest.raises(ContainerGone):
            await lab.runtime.rename_container(f"{name}-none", f"{name}-gone")

    async def test_creating_from_an_unknown_image_names_it(self, lab: Lab) -> None:
        with pytest.raises(ImageNotFound) as caught:
            await lab.runtime.create_container(lab.a_spec(image="localhost/spunto/none:1"))

        assert caught.value.fields["image"] == "localhost/spunto/none:1"
        assert await lab.runtime.find_container(lab.a_spec().name) is None

    async def test_a_path_of_the_host_is_no_volume(self, lab: Lab) -> None:
        with pytest.raises(EngineRefused):
            await lab.runtime.create_container(lab.a_spec(mounts=[Mount(volume="/etc", path="/workspace")]))

    async def test_a_missing_network_is_refused(self, lab: Lab) -> None:
        with pytest.raises(EngineRefused):
            await lab.started(network=f"spunto-test-{lab.suffix}-none")

    async def test_starting_twice_is_success(self, lab: Lab) -> None:
        name = await lab.started()
        before = await lab.runtime.find_container(name)

        await lab.runtime.start_container(name)

        assert await lab.runtime.find_container(name) == before

    async def test_starting_a_missing_container_says_that_it_is_gone(self, lab: Lab) -> None:
        with pytest.raises(ContainerGone):
            await lab.runtime.start_container(f"spunto-test-{lab.suffix}-none")

    async def test_an_unknown_command_ends_the_container_and_its_log_says_why(self, lab: Lab) -> None:
        events = lab.runtime.events(label=lab.label)

        name = await lab.started(command=("no-such-command",))

        await events_until(events, "die")
        ended = await lab.runtime.find_container(name)
        assert ended is not None
        assert ended.state is ContainerState.EXITED
        assert ended.exit_code != 0
        assert await lab.logged(name) != []

    async def test_a_stopped_container_is_kept_and_stopping_again_changes_nothing(self, lab: Lab) -> None:
        name = await lab.started()

        await lab.runtime.stop_container(name, grace_seconds=5)
        stopped = await lab.runtime.find_container(name)
        await lab.runtime.stop_container(name, grace_seconds=5)

        assert stopped is not None
        assert (stopped.state, stopped.exit_code) == (ContainerState.EXITED, 143)
        assert stopped.finished_at is not None
        assert await lab.runtime.find_container(name) == stopped

    async def test_stopping_a_missing_container_is_success(self, lab: Lab) -> None:
        await lab.runtime.stop_container(f"spunto-test-{lab.suffix}-none", grace_seconds=1)

    async def test_a_container_that_ends_by_itself_tells_its_exit_code(self, lab: Lab) -> None:
        events = lab.runtime.events(label=lab.label)

        name = await lab.started(command=("sh", "-c", "exit 7"))

        await events_until(events, "die")
        ended = await lab.runtime.find_container(name)
        assert ended is not None
        assert (ended.state, ended.exit_code, ended.oom_killed) == (ContainerState.EXITED, 7, False)

    async def test_a_running_container_is_removed_and_removing_again_is_success(self, lab: Lab) -> None:
        name = await lab.started()

        await lab.runtime.remove_container(name)
        await lab.runtime.remove_container(name)

        assert await lab.runtime.find_container(name) is None

    async def test_two_removals_at_once_both_succeed(self, lab: Lab) -> None:
        name = await lab.started()

        await asyncio.gather(lab.runtime.remove_container(name), lab.runtime.remove_container(name))

        assert await lab.runtime.find_container(name) is None

    # Networks, volumes, images.

    async def test_a_network_is_made_once_and_removed_once(self, lab: Lab) -> None:
        network = lab.a_network()

        await lab.runtime.ensure_network(network)
        await lab.runtime.ensure_network(replace(network, subnet=a_subnet()))
        listed = [listed for listed in await lab.runtime.list_networks() if listed.name == network.name]
        await lab.runtime.remove_network(network.name)
        await lab.runtime.remove_network(network.name)

        assert listed == [network]
        assert network.name not in [listed.name for listed in await lab.runtime.list_networks()]

    async def test_a_network_name_taken_by_other_labels_conflicts(self, lab: Lab) -> None:
        network = lab.a_network()
        await lab.runtime.ensure_network(network)

        with pytest.raises(Conflict) as caught:
            await lab.runtime.ensure_network(replace(network, labels={"spunto.node": "another"}))

        assert caught.value.code == "network_name_taken"

    async def test_a_subnet_that_overlaps_is_taken(self, lab: Lab) -> None:
        network = lab.a_network()
        await lab.runtime.ensure_network(network)
        wider = network.subnet.rpartition(".")[0] + ".0/24"

        for subnet in (network.subnet, wider):
            with pytest.raises(SubnetTaken) as caught:
                await lab.runtime.ensure_network(replace(network, name=f"{network.name}-2", subnet=subnet))
            assert caught.value.fields["subnet"] == subnet

    async def test_a_container_is_attached_to_a_further_network_once(self, lab: Lab) -> None:
        network = lab.a_network()
        await lab.runtime.ensure_network(network)
        name = await lab.started()
        await lab.runtime.connect_network(name, network.name)
        await lab.runtime.connect_network(name, network.name)

        with pytest.raises(EngineRefused):
            await lab.runtime.remove_network(network.name)

        await lab.runtime.remove_container(name)
        await lab.runtime.remove_network(network.name)
        assert network.name not in [each.name for each in await lab.runtime.list_networks()]

    async def test_what_is_not_there_is_not_attached(self, lab: Lab) -> None:
        network = lab.a_network()
        await lab.runtime.ensure_network(network)
        name = await lab.started()

        with pytest.raises(ContainerGone):
            await lab.runtime.connect_network(f"{name}-none", network.name)
        with pytest.raises(EngineRefused):
            await lab.runtime.connect_network(name, f"{network.name}-none")

    async def test_a_volume_outlives_its_container_until_it_is_removed(self, lab: Lab) -> None:
        mounts = [Mount(volume=lab.volume(), path="/workspace")]
        name = await lab.started(mounts=mounts)
        await lab.runtime.put_file(name, "/workspace/kept", b"kept")

        await lab.runtime.stop_container(name, grace_seconds=5)
        await lab.runtime.start_container(name)
        after_restart = await lab.ran(name, "cat", "/workspace/kept")
        await lab.runtime.remove_container(name)
        await lab.started(mounts=mounts)
        after_removal = await lab.ran(name, "cat", "/workspace/kept")
        await lab.runtime.remove_container(name)
        await lab.runtime.remove_volume(mounts[0].volume)
        await lab.runtime.remove_volume(mounts[0].volume)
        await lab.started(mounts=mounts)
        after_all = await lab.ran(name, "cat", "/workspace/kept")

        assert (after_restart.stdout, after_removal.stdout, after_all.stdout) == (b"kept", b"kept", b"")

    async def test_volumes_are_found_by_the_labels_of_their_container(self, lab: Lab) -> None:
        label = next(f"{key}={value}" for key, value in lab.labels.items())
        mounts = [Mount(volume=lab.volume(), path="/workspace"), Mount(volume=lab.volume(), path="/cache")]
        await lab.runtime.create_container(lab.a_spec(mounts=mounts))

        listed = await lab.runtime.list_volumes(label=label)

        assert {each.name for each in listed} == {mount.volume for mount in mounts}
        assert all(lab.labels.items() <= each.labels.items() for each in listed)
        assert await lab.runtime.list_volumes(label=f"{label}-other") == []

    async def test_a_volume_in_use_is_not_removed(self, lab: Lab) -> None:
        volume = lab.volume()
        await lab.runtime.create_container(lab.a_spec(mounts=[Mount(volume=volume, path="/workspace")]))

        with pytest.raises(EngineRefused):
            await lab.runtime.remove_volume(volume)

    async def test_a_present_image_is_known_and_need_not_be_pulled(self, lab: Lab) -> None:
        await lab.runtime.pull_image(lab.image)

        assert await lab.runtime.has_image(lab.image)

    async def test_an_image_that_nobody_has_is_not_found(self, lab: Lab) -> None:
        image = "127.0.0.1:1/spunto/none:1"

        with pytest.raises(ImageNotFound) as caught:
            await lab.runtime.pull_image(image)

        assert caught.value.fields["image"] == image
        assert not await lab.runtime.has_image(image)

    async def test_a_cancelled_pull_leaves_a_runtime_that_works(self, lab: Lab, stalled_image: StalledImage) -> None:
        pull = asyncio.create_task(lab.runtime.pull_image(stalled_image.name))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stalled_image.asked_for.wait()

        pull.cancel()

        with pytest.raises(asyncio.CancelledError):
            await pull
        assert not await lab.runtime.has_image(stalled_image.name)

    # Logs and events.

    async def test_a_log_has_both_streams_and_ends_with_the_container(self, lab: Lab) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        name = await lab.started(command=("sh", "-c", "echo out; echo err >&2"))

        async with asyncio.timeout(PATIENCE_SECONDS):
            followed = [chunk async for chunk in lab.runtime.logs(name, tail=None, since=None, follow=True)]

        assert lines(followed) == {("stdout", "out"), ("stderr", "err")}
        assert all(before < chunk.at < datetime.now(UTC) for chunk in followed)
        assert lines(await lab.logged(name)) == lines(followed)

    async def test_a_followed_log_shows_lines_as_they_come(self, lab: Lab) -> None:
        name = await lab.started()
        log = lab.runtime.logs(name, tail=None, since=None, follow=True)

        async with asyncio.timeout(PATIENCE_SECONDS):
            await lab.ran(name, "sh", "-c", "echo first > /proc/1/fd/1")
            first = await anext(log)
            await lab.ran(name, "sh", "-c", "echo second > /proc/1/fd/1")
            second = await anext(log)
            await lab.runtime.stop_container(name, grace_seconds=5)
            rest = [chunk async for chunk in log]

        assert (first.line, second.line, rest) == ("first", "second", [])

    async def test_a_log_can_begin_at_its_tail_or_at_a_moment(self, lab: Lab) -> None:
        name = await lab.started(command=("sh", "-c", "echo one; echo two; echo three"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            whole = [chunk async for chunk in lab.runtime.logs(name, tail=None, since=None, follow=True)]

        tail = await lab.logged(name, tail=2)
        from_start = await lab.logged(name, since=whole[0].at - timedelta(seconds=2))
        from_later = await lab.logged(name, since=whole[-1].at + timedelta(seconds=2))

        assert [chunk.line for chunk in whole] == ["one", "two", "three"]
        assert tail == whole[1:]
        assert from_start == whole
        assert from_later == []

    async def test_the_log_of_a_missing_container_says_that_it_is_gone(self, lab: Lab) -> None:
        with pytest.raises(ContainerGone):
            await lab.logged(f"spunto-test-{lab.suffix}-none")

    async def test_events_tell_the_life_of_labelled_containers_only(self, lab: Lab) -> None:
        events = lab.runtime.events(label=lab.label)
        foreign = lab.a_spec(name=f"spunto-test-{lab.suffix}-foreign", labels={"spunto.test": f"{lab.suffix}-2"})

        await lab.runtime.create_container(foreign)
        name = await lab.started()
        await lab.runtime.remove_container(name)
        await lab.runtime.remove_container(foreign.name)

        assert await events_until(events, "destroy") == [
            EngineEvent(name=name, action=action) for action in ("create", "start", "die", "destroy")
        ]

    # The engine itself.

    async def test_the_engine_tells_what_it_has(self, runtime: ContainerRuntime) -> None:
        info = await runtime.info()

        assert info.version
        assert info.cpu_millis >= 1000
        assert info.memory_bytes > 2**28
        assert "seccomp" in info.posture

    async def test_an_engine_that_goes_is_unavailable_until_it_is_back(self, mortal: Mortal) -> None:
        before = await mortal.runtime.info()
        events = mortal.runtime.events(label="spunto.test")
        subscription = asyncio.ensure_future(anext(events))
        await mortal.runtime.list_networks()

        await mortal.end()

        calls: list[Callable[[], Awaitable[object]]] = [
            mortal.runtime.info,
            lambda: mortal.runtime.find_container("spunto-test"),
            lambda: mortal.runtime.list_containers(label="spunto.test"),
            lambda: mortal.runtime.stop_container("spunto-test", grace_seconds=1),
            lambda: mortal.runtime.remove_container("spunto-test"),
            lambda: mortal.runtime.pull_image("localhost/spunto/none:1"),
            lambda: mortal.runtime.exec("spunto-test", ExecSpec(command=["true"])),
            lambda: mortal.runtime.stats("spunto-test"),
            lambda: mortal.runtime.disk_use("spunto-test"),
        ]
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(EngineUnavailable):
                await subscription
            for call in calls:
                with pytest.raises(EngineUnavailable):
                    await call()
        await mortal.bring_back()
        assert await mortal.runtime.info() == before
        assert await mortal.runtime.find_container("spunto-test") is None
