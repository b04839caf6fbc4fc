"""Workers on both real engines: images of every sort, and what people do by hand."""

from collections.abc import AsyncIterator

import pytest
from tests.integration.nodes.living import RealNode, real_node

from spunto.core.executor.runtime import ContainerPaused, ContainerState
from spunto.core.protocol.messages import Phase, Wanted
from spunto.core.specs.worker import Power

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]


@pytest.fixture(params=ENGINES)
async def node(request: pytest.FixtureRequest) -> AsyncIterator[RealNode]:
    async with real_node(request.getfixturevalue(f"{request.param}_url")) as made:
        yield made


@pytest.mark.parametrize("entrypoint", ["exit 3", "sleep 0.4; exit 3"])
async def test_an_entrypoint_that_ends_at_once_is_told_as_ended_each_time(node: RealNode, entrypoint: str) -> None:
    await node.make_image([f'ENTRYPOINT ["sh", "-c", "echo last words; {entrypoint}"]'])

    for _ in range(4):
        node.want(made_in=node.generation + 1)
        ended = await node.until(Phase.STOPPED)
        assert ended.exit_code == 3

    assert Phase.RUNNING not in node.listener.phases(node.worker)
    log = [chunk.line async for chunk in node.runtime.logs(node.name, tail=10, since=None, follow=False)]
    assert log == ["last words"]


async def test_a_container_that_is_restarted_by_hand_runs_on(node: RealNode) -> None:
    node.want()
    before = await node.until(Phase.RUNNING)
    container = node.hands.containers.container(node.name)

    await container.restart(timeout=0)
    await node.until(Phase.RUNNING)
    await container.stop(t=0)
    await node.until(Phase.STOPPED)
    await container.start()
    after = await node.until(Phase.RUNNING)

    assert after.container_id == before.container_id


async def test_each_start_by_hand_runs_what_each_start_runs(node: RealNode) -> None:
    node.want(post_create_command="echo made >> /workspace/log", post_start_command="echo begun >> /workspace/log")
    setup = await node.set_up()
    container = node.hands.containers.container(node.name)

    await container.restart(timeout=0)
    setup = await node.set_up(after=setup)
    await container.stop(t=0)
    await node.until(Phase.STOPPED)
    await container.start()
    await node.set_up(after=setup)

    assert (await node.ran("cat", "/workspace/log")).stdout == b"made\nbegun\nbegun\nbegun\n"


async def test_a_paused_container_is_told_answers_at_once_and_is_stopped(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)
    container = node.hands.containers.container(node.name)
    await container.pause()
    paused = await node.until_shown("paused")

    with pytest.raises(ContainerPaused):
        await node.ran("true")
    await container.unpause()
    await node.until_shown("running")
    assert (await node.ran("true")).code == 0
    await container.pause()
    node.want(power=Power.STOPPED)
    await node.until(Phase.STOPPED)

    assert paused.error is not None
    assert (paused.phase, paused.error.code) == (Phase.RUNNING, "container_paused")


async def test_a_paused_container_is_removed(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)
    await node.hands.containers.container(node.name).pause()
    await node.until_shown("paused")

    node.want(wanted=Wanted.ABSENT)
    await node.until(Phase.ABSENT)

    assert await node.runtime.list_containers(label=f"spunto.id={node.worker}") == []


async def test_a_container_that_was_renamed_by_hand_is_found_and_removed(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)
    await node.hands.containers.container(node.name).rename(f"{node.name}-moved")

    node.want(wanted=Wanted.ABSENT)
    await node.until(Phase.ABSENT)

    assert await node.runtime.list_containers(label=f"spunto.id={node.worker}") == []


@pytest.mark.parametrize(
    ("changes", "directories"),
    [
        (["USER 1234:1234"], []),
        (["USER 1234"], ["/workspace"]),
        (["USER 1234:1234", "ENV HOME=/own/home"], []),
        (["USER root"], ["/workspace"]),
        ([], []),
    ],
)
async def test_a_worker_s_user_has_its_workspace_and_a_home(
    node: RealNode, changes: list[str], directories: list[str]
) -> None:
    await node.make_image(changes, directories=directories)
    write = "touch /workspace/made && cd && pwd && touch made && id -un"
    node.want(post_create_command=write)

    setup = await node.set_up()
    node.want(made_in=node.generation + 1, post_create_command=f"test -e /workspace/made && {write}")
    await node.until(Phase.RUNNING)
    again = await node.ran("sh", "-c", write)

    assert (setup["error"], setup["postCreate"]["exitCode"]) == (None, 0), setup
    assert again.code == 0, again


async def test_a_user_whose_home_is_missing_gets_one(node: RealNode) -> None:
    """Its home is called /nonexistent there, and means it; /workspace is another user's."""
    await node.make_image(["USER nobody"], base="localhost/spunto/worker:1")
    node.want(post_create_command="touch /workspace/made && cd && touch made && id -un")

    setup = await node.set_up()

    assert setup["postCreate"] == {"exitCode": 0, "outputTail": "nobody\n"}


async def test_a_setup_command_that_asks_finds_no_one(node: RealNode) -> None:
    node.want(post_create_command="cat; read answer; echo rc=$?")

    setup = await node.set_up()

    assert setup["postCreate"] == {"exitCode": 0, "outputTail": "rc=1\n"}


@pytest.mark.long
async def test_a_setup_command_without_an_end_leaves_what_it_said(request: pytest.FixtureRequest) -> None:
    async with real_node(request.getfixturevalue("docker_url"), setup_seconds=1.0) as node:
        node.want(post_create_command="echo so far; sleep 1000")

        setup = await node.set_up()

    assert setup["postCreate"] == {"exitCode": None, "outputTail": "so far\n"}
    assert "did not end within 1 s" in setup["error"]


@pytest.mark.parametrize("image", ["a//b", "https://registry.example/x/y:1", "UPPER/case", "a b", "../etc"])
async def test_an_image_that_is_no_name_fails_at_once(node: RealNode, image: str) -> None:
    node.want(image=image)

    failed = await node.until(Phase.FAILED)

    assert failed.error is not None
    assert failed.error.code == "image_not_found"


async def test_a_stopped_container_keeps_what_was_its_user_s(node: RealNode) -> None:
    await node.make_image(["USER 1234"])
    node.want()
    await node.until(Phase.RUNNING)
    await node.hands.containers.container(node.name).stop(t=0)
    await node.until(Phase.STOPPED)

    node.want()
    await node.until(Phase.RUNNING)

    found = await node.runtime.find_container(node.name)
    assert found is not None
    assert found.state is ContainerState.RUNNING
    assert (await node.ran("sh", "-c", "touch /workspace/x && echo $HOME")).stdout == b"/home/u1234\n"
