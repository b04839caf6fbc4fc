"""What is killed with a command on both real engines: all that it started, and nothing else."""

import secrets
from collections.abc import AsyncIterator, Sequence

import psutil
import pytest
from tests.fixtures.waiting import eventually
from tests.integration.nodes.living import RealNode, real_node

from spunto.core.executor.runtime import Exec, ExecSpec
from spunto.core.protocol.messages import Phase
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS, closing

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
WORKER_IMAGE = "localhost/spunto/worker:1"


@pytest.fixture(params=ENGINES)
async def node(request: pytest.FixtureRequest) -> AsyncIterator[RealNode]:
    async with real_node(request.getfixturevalue(f"{request.param}_url")) as made:
        yield made


async def started(node: RealNode, command: Sequence[str], mark: str) -> Exec:
    """The command, once it sleeps for those many seconds."""
    running = await node.runtime.exec(node.name, ExecSpec(command=command))
    await eventually(lambda: sleeps(mark), seconds=PATIENCE_SECONDS, what="the command sleeps")
    return running


async def sleeps(mark: str) -> bool:
    return any(process.info["cmdline"] == ["sleep", mark] for process in psutil.process_iter(["cmdline"]))


async def gone(mark: str) -> bool:
    """What is killed takes a moment to go."""
    return not await sleeps(mark)


@pytest.mark.parametrize(
    "command",
    [
        "env -i sleep MARK",
        "exec sudo sleep MARK",
        "sudo sh -c 'sleep MARK; true'; true",
        "(env -i sleep MARK &); exec env -i sleep 100000",
    ],
)
async def test_a_command_is_killed_with_what_it_started(node: RealNode, command: str) -> None:
    node.want(image=WORKER_IMAGE, memory_bytes=128 * 1024**2)
    await node.until(Phase.RUNNING)
    async with closing(await node.runtime.exec(node.name, ExecSpec(command=["sleep", "1234"]))) as other:
        mark = str(secrets.randbelow(10**9))
        running = await started(node, ("sh", "-c", command.replace("MARK", mark)), mark)

        await running.kill_tree()
        assert await running.exit_code() == 137
        await running.aclose()

        await eventually(lambda: gone(mark), seconds=PATIENCE_SECONDS, what="nothing of it sleeps")
        await other.kill_tree()
        assert await other.exit_code() == 137
    assert (await node.ran("true")).code == 0


async def test_a_command_is_killed_in_an_image_without_a_shell(node: RealNode) -> None:
    made = await node.hands.containers.run({"Image": node.image, "Cmd": ["rm", "/bin/sh"]})
    await made.wait()
    await node.commit(made, ['CMD ["sleep", "100000"]', "ENTRYPOINT []"])
    node.want()
    await node.until(Phase.RUNNING)
    mark = str(secrets.randbelow(10**9))
    running = await started(node, ("sleep", mark), mark)

    await running.kill_tree()
    assert await running.exit_code() == 137
    await running.aclose()
