"""Secrets from their user's hands into a container, and nowhere else on the way."""

import base64
from dataclasses import replace

import pytest
import structlog
from tests.unit.journeys.steps import Subject, a_ready_worker, a_worker

from spunto.core.access.model import Actor, ActorKind, ApiKeyId, Tenant, UserId
from spunto.core.access.policy import Action, Role
from spunto.core.kernel.errors import Forbidden
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import Consent
from spunto.core.specs.worker import write
from spunto.core.workers.model import WorkerState
from spunto.core.workers.reach import ExecRequest
from spunto.core.workers.secrets import Wishes
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
        worker = await a_ready_worker(harness, secrets=("TOKEN",), env={"TOKEN": "project", "OTHER": "1"})

    env = await env_in(worker)
    assert (env["TOKEN"], env["OTHER"]) == (VALUE, "1")
    async with harness.spunto._store.reading() as tx:
        assignment = await tx.assignments.find(worker.id)
        secrets = await tx.secrets.of_owners([harness.owner.user_id])
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


async def test_a_worker_of_an_organization_s_key_has_the_organization_s_secrets_alone(harness: Harness) -> None:
    await harness.add_node("one")
    await set_secret(harness)
    await set_secret(harness, name="PERSONAL")
    org_id = harness.organization.id
    project = await harness.add_project(secrets=("TOKEN", "PERSONAL"))
    granted = Consent(project_ids=frozenset({project.id}))
    await harness.spunto.org_secrets.put(harness.owner, org_id, name="TOKEN", value=Secret("ours"), consent=granted)
    key = Actor(
        kind=ActorKind.API_KEY,
        api_key_id=ApiKeyId("key_00000000000000000000000000"),
        credential_id="key_00000000000000000000000000",
        roles={org_id: Role.ADMIN},
    )
    view = await harness.spunto.workers.spawn(key, org_id, project.id, secrets=Wishes(without=True))
    await harness.settle()

    done = await harness.spunto.reach.exec(key, org_id, project.id, view.worker.id, ExecRequest(command=["env"]))

    env = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    assert (env["TOKEN"], "PERSONAL" in env) == ("ours", False)


async def test_what_a_command_prints_is_its_owner_s_and_admins_who_are_audited(harness: Harness) -> None:
    await harness.add_node("one")
    worker = await a_ready_worker(harness, post_create_command=f"echo {VALUE}")
    spunto, org_id = harness.spunto, harness.organization.id
    member = replace(harness.owner, user_id=UserId("usr_0"), credential_id="ses_m", roles={org_id: Role.MEMBER})
    admin = replace(member, user_id=UserId("usr_1"), credential_id="ses_a", roles={org_id: Role.ADMIN})

    seen = {
        who: repr(await spunto.workers.get(actor, *worker.here[1:]))
        + repr((await spunto.workers.explain(actor, *worker.here[1:]))[1].observed)
        for who, actor in (("owner", harness.owner), ("member", member), ("admin", admin))
    }
    listed = repr(await spunto.workers.list(member, org_id, worker.project.id, PageRequest()))

    assert {who: VALUE in text for who, text in seen.items()} == {"owner": True, "member": False, "admin": True}
    assert VALUE not in listed
    with pytest.raises(Forbidden) as caught:
        async for _ in spunto.reach.logs(member, *worker.here[1:], tail=1):
            pass
    assert caught.value.code == "not_owner"
    async with spunto._store.reading() as tx:
        entries = (await tx.audit.list(a_tenant_of(harness), PageRequest(limit=100))).items
    assert [each.actor_id for each in entries if each.action is Action.WORKER_READ_OUTPUT] == ["usr_1"]
