"""Looks at what is there from all sides: the API, the engine's lists, and the machine's processes."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer
from tests.chaos.engine import Processes
from tests.chaos.oracle import TRANSIENT, Seen, SeenContainer, SeenWorker

from spunto.client.client import SpuntoClient
from spunto.client.errors import NotThere
from spunto.client.worker_models import Worker
from spunto.core.specs.names import ID_LABEL, NODE_LABEL


async def workers_of(client: SpuntoClient, org_id: str, project_id: str) -> list[SeenWorker]:
    return [await _seen(client, worker) async for worker in client.workers.iter_workers(org_id, project_id)]


async def _seen(client: SpuntoClient, worker: Worker) -> SeenWorker:
    deadline_at = None
    if worker.state in TRANSIENT:
        # It may be gone by now; the next look will tell.
        with suppress(NotThere):
            explained = await client.workers.get(worker, explain=True)
            deadline_at = explained.explanation.next_at if explained.explanation else None
    return SeenWorker(
        id=worker.id,
        state=worker.state,
        problem=None if worker.error is None else worker.error.code,
        container_id=worker.container_id,
        deadline_at=deadline_at,
    )


class EngineView:
    """What an engine lists with one node's label; nothing else of it is looked at or touched."""

    def __init__(self, docker: aiodocker.Docker, node_id: str) -> None:
        self._docker = docker
        self._filters = {"label": [f"{NODE_LABEL}={node_id}"]}

    async def containers(self) -> list[SeenContainer]:
        shown = [container._container for container in await self._listed()]
        return [
            SeenContainer(id=each["Id"], worker_id=each["Labels"].get(ID_LABEL, ""), running=each["State"] == "running")
            for each in shown
        ]

    async def networks(self) -> Mapping[str, str]:
        return {each["Name"]: _owner(each) for each in await self._docker.networks.list(filters=self._filters)}

    async def volumes(self) -> Mapping[str, str]:
        listed = await self._docker.volumes.list(filters=self._filters)  # type: ignore[no-untyped-call]  # aiodocker's
        return {each["Name"]: _owner(each) for each in listed["Volumes"] or []}

    async def _listed(self) -> list[DockerContainer]:
        return await self._docker.containers.list(all=1, filters=json.dumps(self._filters))

    async def clear_away(self) -> None:
        """Remove everything of the node."""
        for container in await self._listed():
            await container.delete(force=True, v=True)
        for name in await self.networks():
            await (await self._docker.networks.get(name)).delete()
        for name in await self.volumes():
            await (await self._docker.volumes.get(name)).delete()  # type: ignore[no-untyped-call]  # aiodocker's


async def seen(
    client: SpuntoClient,
    engine: EngineView,
    *,
    org_id: str,
    project_id: str,
    node_id: str,
    processes: Processes,
) -> Seen:
    return Seen(
        workers=await workers_of(client, org_id, project_id),
        containers=await engine.containers(),
        networks=await engine.networks(),
        volumes=await engine.volumes(),
        processes=processes.workers,
        engine_processes=processes.engine,
        reserved=(await client.nodes.get(org_id, node_id)).workers,
        at=datetime.now(UTC),
    )


def _owner(listed: Mapping[str, Any]) -> str:
    return str((listed.get("Labels") or {}).get(ID_LABEL, ""))
