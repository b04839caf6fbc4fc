"""What workers take of a real engine's disk: measured, limited, and brought back within the limit."""

from collections.abc import AsyncIterator

import pytest
from tests.integration.nodes.living import RealNode, real_node

from spunto.adapters.runtimes.disk_measure import DiskMeasure
from spunto.adapters.runtimes.engine_runtime import EngineRuntime
from spunto.core.executor.policy import Limits, Policy
from spunto.core.executor.runtime import DiskNotMeasured
from spunto.core.protocol.messages import Phase

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
MIB = 1024**2
SMALL = Policy(limits={"worker": Limits(max_disk_bytes=8 * MIB)})


@pytest.fixture(params=ENGINES)
async def node(request: pytest.FixtureRequest) -> AsyncIterator[RealNode]:
    url = request.getfixturevalue(f"{request.param}_url")
    async with real_node(url, policy=SMALL, disk_seconds=0.2, disk_glance_seconds=0.2, stop_grace_seconds=1.0) as made:
        yield made


async def test_a_worker_that_fills_its_workspace_is_stopped_and_cleared_up_after_a_start(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)

    await node.run("head -c 20000000 /dev/zero > /workspace/big; sync; sleep 60")
    stopped = await node.until(Phase.STOPPED)
    node.want()
    await node.until(Phase.RUNNING)
    cleared = await node.run("rm /workspace/big && sync && sleep 2 && ls /workspace")
    later = await node.run("sleep 1; echo runs on")

    assert stopped.error is not None
    assert stopped.error.code == "disk_limit_exceeded"
    assert "of that in volumes such as /workspace, and 8 MiB is the most" in stopped.error.message
    assert (cleared.code, later.stdout) == (0, b"runs on\n")
    await node.until(Phase.RUNNING)


async def test_a_worker_that_writes_outside_its_workspace_is_stopped_and_runs_after_a_rebuild(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)
    await node.run("echo kept > /workspace/kept")

    await node.run("head -c 20000000 /dev/zero > /big; sync; sleep 60")
    stopped = await node.until(Phase.STOPPED)
    node.want(made_in=2)
    await node.until(Phase.RUNNING)
    after = await node.run("sleep 1; cat /workspace/kept; ls /big")

    assert stopped.error is not None
    assert "rebuild it, which keeps /workspace" in stopped.error.message
    assert (after.stdout, after.code) == (b"kept\n", 1)


async def test_a_worker_with_more_files_than_its_share_is_stopped(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)

    await node.run("cd /workspace; i=0; while [ $i -lt 2100 ]; do : > $i; i=$((i+1)); done; sleep 60")
    stopped = await node.until(Phase.STOPPED)

    assert stopped.error is not None
    assert "files, 2101 of them in volumes such as /workspace, and 2048 is the most" in stopped.error.message


async def test_a_file_with_holes_takes_what_is_written_of_it(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)

    for path in ("/holes", "/workspace/holes"):
        await node.run(f"dd if=/dev/zero of={path} bs=1 count=1 seek=1000000000")
    after = await node.run("sleep 2; echo runs on")

    assert after.stdout == b"runs on\n"


async def test_the_disk_of_the_engine_is_told(node: RealNode) -> None:
    await node.listener.until(lambda: node.listener.disks and node.listener.disks[-1])

    disk = node.listener.disks[-1]
    assert disk is not None
    assert 0 < disk.free_bytes < disk.total_bytes


async def test_what_can_not_be_read_from_here_the_engine_tells(node: RealNode) -> None:
    """As for an agent that is not root, or runs in a container: the figures are the same, but for files."""
    node.want()
    await node.until(Phase.RUNNING)
    await node.run("head -c 3000000 /dev/zero > /own; head -c 2000000 /dev/zero > /workspace/kept; sync")
    runtime = node.runtime
    assert isinstance(runtime, EngineRuntime)

    read = await DiskMeasure(runtime._socket).use(node.name)
    asked = await DiskMeasure(runtime._socket, readable=lambda _: False).use(node.name)

    for use in (read, asked):
        assert 3_000_000 <= use.container_bytes < 3_200_000
        assert 2_000_000 <= use.volume_bytes < 2_200_000
    assert (read.volume_files, asked.files) == (2, 0)


async def test_a_count_that_takes_too_long_is_given_up(node: RealNode) -> None:
    node.want()
    await node.until(Phase.RUNNING)
    runtime = node.runtime
    assert isinstance(runtime, EngineRuntime)

    with pytest.raises(DiskNotMeasured):
        await DiskMeasure(runtime._socket, seconds=0.0).use(node.name)
