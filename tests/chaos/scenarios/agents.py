"""Faults of agents: two with one credential, one that is away, one that is cut off."""

import shutil
import time

from tests.chaos.box import Box
from tests.chaos.namespaces import Namespace
from tests.fixtures.processes import running_agent
from tests.fixtures.waiting import eventually

from spunto.core.specs.worker import container_name

_SILENCE_SECONDS = 45.0
_MARGIN_SECONDS = 15.0


async def two_agents_with_one_credential(box: Box) -> str:
    """The newest serves and the older stands back, with one container a worker all the time."""
    worker = await box.spawn_ready()
    directory = box.directory / "clone"
    shutil.copytree(box.agent.data_dir, directory, ignore=shutil.ignore_patterns("*.log"))
    before = (await box.node()).connection_changed_at

    with running_agent(box.server, box.engine_url, directory) as clone:
        await _connects_anew(box, before)
        await box.stop(worker)
        await box.settled()
        await box.start(worker)
        await box.spawn()
        await box.destroy(await box.spawn())
        await box.settled()
        assert box.agent.is_running, "an agent that is superseded waits"
        assert '"superseded"' in box.agent.log.read_text()
        assert '"superseded"' not in clone.log.read_text()
    return "the clone served, the older one stood back"


async def two_agents_that_live_on(box: Box, *, rounds_seconds: float = 300.0) -> str:
    """Each comes back after it was superseded; at the third turn the node is shut out, until its token is new."""
    worker = await box.spawn_ready()
    directory = box.directory / "clone"
    shutil.copytree(box.agent.data_dir, directory, ignore=shutil.ignore_patterns("*.log"))

    with running_agent(box.server, box.engine_url, directory):
        begun = time.monotonic()
        await box.node_is("quarantined", seconds=rounds_seconds)
        node = await box.node()
        assert node.error is not None
        assert node.error.code == "node_flapping"
    quarantined_seconds = time.monotonic() - begun
    assert (await box.client.workers.get(worker)).state == "ready"
    await _let_in_again(box)
    await box.settled()
    return f"quarantined after {quarantined_seconds:.0f} s, let in again by a new token"


async def _connects_anew(box: Box, before: object) -> None:
    async def another() -> bool:
        node = await box.node()
        return node.status == "online" and node.connection_changed_at != before

    await eventually(another, seconds=20, what=f"another agent took over\n{box.server.tail()}")


async def _let_in_again(box: Box) -> None:
    box.agent.stop()
    made = await box.client.nodes.rotate_token(box.org_id, box.node_id)
    box.server.agent_token_file.write_text(made.token.get_secret_value())
    box.agent.start()
    await box.node_is("online")


async def asked_while_the_node_is_offline(box: Box) -> str:
    """Stop, start and destroy are accepted, shown as not known yet, and happen when the agent is back."""
    stopping, destroying, kept = [await box.spawn_ready() for _ in range(3)]
    box.agent.kill()
    await box.node_is("offline")

    assert (await box.stop(stopping)).state == "stopping"
    assert (await box.destroy(destroying)).state == "destroying"
    assert (await box.client.workers.get(kept)).docker_state == "unknown"
    assert (await box.client.workers.get(kept)).state == "ready"

    box.agent.start()
    await box.settled()
    return "stop and destroy waited for the agent"


async def partitioned_for_longer_than_the_threshold(box: Box, namespace: Namespace) -> str:
    """Silence makes the node offline and nothing else; when it ends, what was asked for meanwhile happens."""
    kept, stopping, destroying = [await box.spawn_ready() for _ in range(3)]
    started_at = await _started_at(box, kept.id)

    namespace.part()
    begun = time.monotonic()
    await box.node_is("offline", seconds=_SILENCE_SECONDS + _MARGIN_SECONDS)
    offline_seconds = time.monotonic() - begun
    assert (await box.client.workers.get(kept)).docker_state == "unknown"
    await box.stop(stopping)
    await box.destroy(destroying)
    assert all(container.running for container in await box.engine.containers())

    namespace.heal()
    begun = time.monotonic()
    await box.node_is("online", seconds=60)
    await box.settled()
    assert await _started_at(box, kept.id) == started_at
    return f"offline after {offline_seconds:.0f} s, as asked {time.monotonic() - begun:.0f} s after the end of it"


async def _started_at(box: Box, worker_id: str) -> str:
    shown = await (await box.docker.containers.get(container_name(worker_id))).show()
    return str(shown["State"]["StartedAt"])
