"""Webhooks are made, changed and removed by admins, and nothing tells their secrets but the answer that makes them."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.unit.core.builders import ORG, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.policy import Action, Role, Scope
from spunto.core.activity.events import Event, EventType
from spunto.core.activity.model import AuditEntry
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from spunto.core.kernel.idempotency import IdempotencyKey
from spunto.core.kernel.paging import PageRequest
from spunto.core.webhooks.model import MAX_WEBHOOKS, WebhookSecret, WebhookWithSecret

URL = "https://hooks.example.org/T0/secret-path"
KEY = IdempotencyKey(key="k", fingerprint=b"f")


async def secrets_of(memory: Memory, made: WebhookWithSecret) -> list[WebhookSecret]:
    async with memory.store.reading() as tx:
        return list(await tx.webhook_secrets.of(made.webhook.id))


async def events(memory: Memory) -> list[Event]:
    async with memory.store.reading() as tx:
        return list(await tx.events.after(ORG, 0, limit=100))


async def audited(memory: Memory) -> Sequence[AuditEntry]:
    async with memory.store.reading() as tx:
        tenant = memory.owner.require(Action.AUDIT_READ, org_id=ORG)
        return (await tx.audit.list(tenant, PageRequest())).items


async def test_a_webhook_is_made_told_of_and_listed(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL, description="CI")

    assert await memory.webhooks.get(memory.owner, ORG, made.webhook.id) == made.webhook
    assert (await memory.webhooks.list(memory.owner, ORG, PageRequest())).items == [made.webhook]
    assert [(entry.target_id, entry.detail) for entry in await audited(memory)] == [
        (made.webhook.id, {"host": "hooks.example.org"})
    ]
    [event] = await events(memory)
    assert (event.type, event.subject_id, event.data) == (EventType.WEBHOOK_CREATED, made.webhook.id, {})


async def test_its_secret_is_kept_sealed_and_opens_only_in_its_place(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL)

    [kept] = await secrets_of(memory, made)
    assert made.secret.reveal().encode() not in kept.sealed.ciphertext
    assert memory.webhooks._cipher.open(kept.sealed, bound_to=kept.bound_to) == made.secret
    assert "secret-path" not in repr((made, kept, await events(memory), await audited(memory)))


async def test_a_repeat_makes_no_second_webhook(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL, idempotency=KEY)

    with pytest.raises(Conflict) as caught:
        await memory.webhooks.create(memory.owner, ORG, url=URL, idempotency=KEY)

    assert (caught.value.code, caught.value.fields) == ("token_not_repeatable", {"id": made.webhook.id})
    assert len((await memory.webhooks.list(memory.owner, ORG, PageRequest())).items) == 1


async def test_an_organization_has_only_so_many(memory: Memory) -> None:
    for _ in range(MAX_WEBHOOKS - 1):
        await memory.webhooks.create(memory.owner, ORG, url=URL)

    async def another() -> None:
        await memory.webhooks.create(memory.owner, ORG, url=URL)

    memory.racing.interference = [another]
    with pytest.raises(Conflict) as caught:
        await memory.webhooks.create(memory.owner, ORG, url=URL)

    assert caught.value.code == "webhooks_full"


@pytest.mark.parametrize("url", ["https://", "http://hooks.example.org/", "https://169.254.169.254/latest"])
async def test_a_bad_url_is_refused_at_creation_and_at_a_change(memory: Memory, url: str) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL)

    with pytest.raises(Invalid):
        await memory.webhooks.create(memory.owner, ORG, url=url)
    with pytest.raises(Invalid):
        await memory.webhooks.update(memory.owner, ORG, made.webhook.id, url=url)


async def test_a_change_leaves_what_it_does_not_name(memory: Memory) -> None:
    only = frozenset({EventType.NODE_ONLINE})
    made = await memory.webhooks.create(memory.owner, ORG, url=URL, events=only, description="CI")

    changed = await memory.webhooks.update(memory.owner, ORG, made.webhook.id, description="CD")
    cleared = await memory.webhooks.update(memory.owner, ORG, made.webhook.id, events=None)
    same = await memory.webhooks.update(memory.owner, ORG, made.webhook.id, description="CD")

    assert (changed.events, changed.description, changed.url) == (only, "CD", URL)
    assert (cleared.events, same) == (None, cleared)
    assert (await memory.audit())["webhook.update"] == 2


async def test_what_happened_while_it_was_disabled_is_not_made_up_for(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL)
    await memory.webhooks.update(memory.owner, ORG, made.webhook.id, enabled=False)
    await memory.projects.create(memory.owner, ORG, name="p", environment=(await memory.add_project()).environment)

    again = await memory.webhooks.update(memory.owner, ORG, made.webhook.id, enabled=True)

    # All but the event of its being enabled, which comes first.
    assert again.read_to == len(await events(memory)) - 1


async def test_after_a_rotation_the_secret_before_it_is_good_for_a_day(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL)
    first = await secrets_of(memory, made)

    rotated = await memory.webhooks.rotate_secret(memory.owner, ORG, made.webhook.id)
    newest, before = await secrets_of(memory, made)
    await memory.webhooks.rotate_secret(memory.owner, ORG, made.webhook.id)

    assert rotated.secret != made.secret
    assert memory.webhooks._cipher.open(newest.sealed, bound_to=newest.bound_to) == rotated.secret
    assert (before.id, before.expires_at) == (first[0].id, memory.clock.now() + timedelta(days=1))
    assert [each.id == newest.id for each in await secrets_of(memory, made)] == [False, True]


async def test_a_repeated_rotation_ends_no_secret(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL)
    await memory.webhooks.rotate_secret(memory.owner, ORG, made.webhook.id, idempotency=KEY)
    before = await secrets_of(memory, made)

    with pytest.raises(Conflict):
        await memory.webhooks.rotate_secret(memory.owner, ORG, made.webhook.id, idempotency=KEY)

    assert await secrets_of(memory, made) == before


async def test_a_deleted_one_is_gone(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL)
    await memory.webhooks.delete(memory.owner, ORG, made.webhook.id)

    with pytest.raises(NotFound):
        await memory.webhooks.get(memory.owner, ORG, made.webhook.id)
    assert await secrets_of(memory, made) == []
    assert (await memory.audit())["webhook.delete"] == 1


async def test_members_see_none_and_keys_change_none(memory: Memory) -> None:
    made = await memory.webhooks.create(memory.owner, ORG, url=URL)
    admin_s_key = an_actor(role=Role.ADMIN, scopes=frozenset({Scope.ALL}))

    with pytest.raises(Forbidden, match="role"):
        await memory.webhooks.get(memory.member, ORG, made.webhook.id)
    assert await memory.webhooks.get(admin_s_key, ORG, made.webhook.id) == made.webhook
    for change in (
        memory.webhooks.create(admin_s_key, ORG, url=URL),
        memory.webhooks.update(admin_s_key, ORG, made.webhook.id, enabled=False),
        memory.webhooks.delete(admin_s_key, ORG, made.webhook.id),
        memory.webhooks.rotate_secret(admin_s_key, ORG, made.webhook.id),
        memory.deliveries.test(admin_s_key, ORG, made.webhook.id),
    ):
        with pytest.raises(Forbidden, match="sign in"):
            await change


async def test_who_was_demoted_a_moment_ago_makes_none(memory: Memory) -> None:
    was_admin = an_actor(user_id=memory.member.require_person(), role=Role.ADMIN)
    was_admin.require(Action.WEBHOOK_CREATE, org_id=ORG)

    with pytest.raises(Forbidden):
        await memory.webhooks.create(was_admin, ORG, url=URL)
