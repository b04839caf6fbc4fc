"""Secrets from their user's hands into a container, and nowhere else on the way."""

import base64

import pytest
import structlog
from tests.unit.journeys.steps import Subject, a_ready_worker, a_worker

from spunto.core.access.model import Actor, ActorKind, ApiKeyId, Tenant
from spunto.core.access.policy import Action, Role
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.specs.worker import write
from spunto.core.workers.model import WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.testing.harness import Harness

VALUE = "canary-7f3a-sesame"
ENCODED = base64.b64encode(VALUE.encode()).decode()


async def set_secret(harness: Harness, value: str = VALUE, name: str = "TOKEN") -> None:
    await harness.spunto.secrets.put(harness.owner, name=name, value=Secret(value))


async def env_in(worker: Subject) -> dict[str, str]:
    done = await worker.harness.spunto.reach.exec(*worker.here, ExecRequest(command=["env"]))
    return dict(line.split("=", 1) for line in done.stdout.decode().splitlines())


def a_tenant_of(harness: Harness) -> Tenant:
    return harness.owner.require(Action.AUDIT_READ, org_id=harness.organization.id)


async def test_a_secret_reaches_its_container_and_nothing_else(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    node = await harness.add_node("one")
    with structlog.testing.capture_logs() as logs:
        await set_secret(harness)
        worker = await a_ready_worker(harness, secrets=("TOKEN", "MISSING"), env={"TOKEN": "project", "OTHER": "1"})

    env = await env_in(worker)
    assert (env["TOKEN"], env["OTHER"], "MISSING" in env) == (VALUE, "1", False)
    async with harness.spunto._store.reading() as tx:
        assignment = await tx.assignments.find(worker.id)
        secrets = await tx.secrets.of_users([harness.owner.user_id])
        entries = await tx.audit.list(a_tenant_of(harness), PageRequest(limit=100))
    assert assignment is not None
    journal = node.journal.load()
    kept = (write(assignment.spec), assignment, await worker.view(), entries, logs, caplog.text)
    stored = [str(part) for secret in secrets for part in (secret.sealed.ciphertext, secret.sealed.wrapped_key)]
    held = [str(entry.desired.spec) + str(entry.desired.secrets) + str(entry.ledger) for entry in journal]
    assert (len(stored), len(held)) == (2, 1)
    for text in (*map(repr, kept), *stored, *held):
        assert VALUE not in text
        assert ENCODED not in text


async def test_another_value_is_for_containers_that_are_made_later(harness: Harness) -> None:
    await harness.add_node("one")
    await set_secret(harness, "first")
    worker = await a_ready_worker(harness, secrets=("TOKEN",))
    await set_secret(harness, "second")

    await worker.stop()
    await harness.settle()
    await worker.start()
    await harness.settle()
    other = Subject(harness=harness, project=worker.project, id=(await harness.spawn(worker.project)).worker.id)
    await harness.settle()

    assert ((await env_in(worker))["TOKEN"], (await env_in(other))["TOKEN"]) == ("first", "second")


async def test_an_agent_that_restarts_without_its_server_makes_nothing_without_secrets(harness: Harness) -> None:
    node = await harness.add_node("one")
    await set_secret(harness)
    node.engine.hold_pulls()
    worker = await a_worker(harness, secrets=("TOKEN",), image="other/image:1")
    await harness.settle()
    node.kill_agent()
    node.disconnect()
    node.engine.images.add("other/image:1")

    node.start_agent()
    await harness.advance(60)
    assert node.containers() == []

    await node.reconnect()
    await harness.advance(10)

    assert await worker.state() is WorkerState.READY
    assert (await env_in(worker))["TOKEN"] == VALUE


async def test_a_worker_of_an_organization_s_key_has_nobody_s_secrets(harness: Harness) -> None:
    await harness.add_node("one")
    await set_secret(harness)
    project = await harness.add_project(secrets=("TOKEN",))
    key = Actor(
        kind=ActorKind.API_KEY,
        api_key_id=ApiKeyId("key_00000000000000000000000000"),
        credential_id="key_00000000000000000000000000",
        roles={harness.organization.id: Role.ADMIN},
    )
    view = await harness.spunto.workers.spawn(key, harness.organization.id, project.id)
    await harness.settle()

    done = await harness.spunto.reach.exec(
        key, harness.organization.id, project.id, view.worker.id, ExecRequest(command=["env"])
    )

    assert b"TOKEN" not in done.stdout
