"""Faults of single workers: taken away by hand, and wanted no more before they are there."""

import asyncio

import aiodocker
from tests.chaos.box import Box

from spunto.core.specs.worker import container_name

_NOTICED_SECONDS = 10.0


async def container_removed_by_hand(box: Box) -> str:
    """It is noticed at once and told as it is; start makes the container anew."""
    worker = await box.spawn_ready()
    container = await box.docker.containers.get(container_name(worker.id))

    await container.delete(force=True)

    noticed = await box.worker_is(worker, "error", seconds=_NOTICED_SECONDS)
    assert noticed.error is not None
    assert noticed.error.code == "container_lost"
    assert noticed.docker_state == "not_found"
    await box.start(worker)
    again = await box.worker_is(worker, "ready")
    assert again.container_id != worker.container_id
    await box.settled()
    return "noticed, told and made anew"


async def container_stopped_by_hand(box: Box) -> str:
    """The worker is stopped, says that nobody asked for it, and is not started by itself."""
    worker = await box.spawn_ready()
    container = await box.docker.containers.get(container_name(worker.id))

    await container.kill()

    noticed = await box.worker_is(worker, "stopped", seconds=_NOTICED_SECONDS)
    assert noticed.error is not None
    assert noticed.error.code == "worker_exited"
    await box.start(worker)
    await box.settled()
    return "noticed, told and started again"


async def destroyed_while_spawning(box: Box, *, workers: int = 12, spread_seconds: float = 0.6) -> str:
    """Whatever the node is doing when the end is asked for, nothing stays."""

    async def brief(number: int) -> None:
        worker = await box.spawn()
        await asyncio.sleep(spread_seconds * number / workers)
        await box.destroy(worker)

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(brief(number))

    await box.settled()
    return f"{workers} workers destroyed 0 to {spread_seconds:g} s after their spawn"


async def nothing_else_is_touched(box: Box) -> str:
    """What a node's engine holds without our label, or with another node's, stays when everything of ours goes."""
    worker = await box.spawn_ready()
    strangers = [await _stranger(box, labels) for labels in ({}, {"spunto.node": "nod_0123456789abcdefghjkmnpqrs"})]
    try:
        await box.destroy(worker)
        await box.settled()
        for stranger in strangers:
            assert (await stranger.show())["State"]["Running"]
    finally:
        for stranger in strangers:
            await stranger.delete(force=True)
    return f"{len(strangers)} containers of others still run"


async def _stranger(box: Box, labels: dict[str, str]) -> aiodocker.containers.DockerContainer:
    return await box.docker.containers.run(
        {"Image": "localhost/spunto/busybox:1", "Labels": labels, "HostConfig": {"NetworkMode": "none"}}
    )
