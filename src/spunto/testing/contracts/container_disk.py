"""What every container engine adapter guarantees of the disk that containers take."""

import pytest

from spunto.core.executor.disk import DiskUse
from spunto.core.executor.runtime import ContainerGone, ContainerRuntime, Mount
from spunto.testing.contracts.container_lab import Lab

UNIT = 512 * 1024


class ContainerDiskContract:
    """Part of `ContainerRuntimeContract`."""

    async def test_what_a_container_writes_is_measured_where_it_lies(self, lab: Lab) -> None:
        name = await lab.started(mounts=[Mount(volume=lab.volume(), path="/workspace")])
        before = await lab.runtime.disk_use(name)

        await lab.runtime.put_file(name, "/own", bytes(UNIT))
        await lab.ran(name, "sh", "-c", "cat /own > /workspace/kept; cat /own > /workspace/more")
        after = await lab.runtime.disk_use(name)
        await lab.runtime.stop_container(name, grace_seconds=1)

        assert _grown(before, after) == (1, 2)
        assert after.files - before.files in (0, 3)  # 0 where nobody counts them
        assert await lab.runtime.disk_use(name) == after

    async def test_what_is_written_elsewhere_is_not_the_container_s(self, lab: Lab) -> None:
        name, other = await lab.started(), await lab.started(name=f"spunto-test-{lab.suffix}-2")
        before = await lab.runtime.disk_use(name)

        await lab.runtime.put_file(other, "/own", bytes(UNIT))

        assert _grown(before, await lab.runtime.disk_use(name)) == (0, 0)

    async def test_what_a_container_that_is_gone_took_can_not_be_told(self, lab: Lab) -> None:
        with pytest.raises(ContainerGone):
            await lab.runtime.disk_use(f"spunto-test-{lab.suffix}-none")

    async def test_the_disk_has_more_room_than_is_free(self, runtime: ContainerRuntime) -> None:
        space = await runtime.disk_space()

        assert space is None or 0 <= space.free_bytes < space.total_bytes


def _grown(before: DiskUse, after: DiskUse) -> tuple[int, int]:
    """In whole units, since directories grow as well: the container's own files, and those of volumes."""
    own, kept = after.container_bytes - before.container_bytes, after.volume_bytes - before.volume_bytes
    return round(own / UNIT), round(kept / UNIT)
