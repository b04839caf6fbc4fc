"""The contracts of webhooks, of the secrets that sign for them, and of their deliveries."""

from dataclasses import replace
from datetime import timedelta

import pytest

from spunto.core.access.model import Tenant
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import PageRequest
from spunto.core.webhooks.model import (
    Attempt,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Failure,
    Webhook,
    WebhookSecret,
)
from spunto.testing.contracts.store import (
    LATER,
    NOW,
    Store,
    a_delivery,
    a_sealed,
    a_tenant,
    a_webhook,
    a_webhook_secret,
    an_event,
    organization_in,
)

FAILED = Attempt(status=500, failure=Failure.STATUS, duration_ms=12)


async def webhook_in(store: Store, **changes: object) -> tuple[Tenant, Webhook]:
    tenant = a_tenant((await organization_in(store)).id)
    webhook = a_webhook(tenant, **changes)
    async with store() as tx:
        await tx.webhooks.add(webhook)
        await tx.commit()
    return tenant, webhook


async def keep(store: Store, *rows: WebhookSecret | Delivery) -> None:
    async with store() as tx:
        for row in rows:
            if isinstance(row, WebhookSecret):
                await tx.webhook_secrets.add(row)
        await tx.deliveries.add([row for row in rows if isinstance(row, Delivery)])
        await tx.commit()


class WebhookRepositoryContract:
    @pytest.mark.parametrize("changes", [{}, {"events": None, "failing_since": None, "enabled": False}])
    async def test_a_webhook_comes_back_whole_to_its_organization_alone(
        self, store: Store, changes: dict[str, object]
    ) -> None:
        tenant, webhook = await webhook_in(store, **changes)

        async with store.reading() as tx:
            assert await tx.webhooks.get(tenant, webhook.id) == webhook
            assert await tx.webhooks.find(webhook.id) == webhook
            for who, which in ((a_tenant(), webhook.id), (tenant, a_webhook(tenant).id)):
                with pytest.raises(NotFound) as caught:
                    await tx.webhooks.get(who, which)
                assert caught.value.code == "webhook_not_found"

    async def test_webhooks_are_listed_and_counted_of_one_organization(self, store: Store) -> None:
        tenant, older = await webhook_in(store)
        await webhook_in(store)
        newer = a_webhook(tenant)
        async with store() as tx:
            await tx.webhooks.add(newer)
            await tx.commit()

        async with store.reading() as tx:
            page = await tx.webhooks.list(tenant, PageRequest(limit=1))
            rest = await tx.webhooks.list(tenant, PageRequest(limit=1, before=page.next_before))
            assert await tx.webhooks.count(tenant) == 2
            assert await tx.webhooks.count(a_tenant()) == 0

        assert (list(page.items), list(rest.items), rest.next_before) == ([newer], [older], None)

    async def test_a_change_is_written_over_the_version_before_it_alone(self, store: Store) -> None:
        tenant, webhook = await webhook_in(store)
        changed = replace(webhook.switched_off(DisabledReason.FAILING), url="https://b/", events=None, updated_at=LATER)

        async with store() as tx:
            after = await tx.webhooks.update(changed)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.webhooks.get(tenant, webhook.id) == after == replace(changed, version=2)
        for change in ("update", "remove"):
            with pytest.raises(StaleVersion):
                async with store() as tx:
                    await getattr(tx.webhooks, change)(webhook)

    @pytest.mark.parametrize("whole_organization", [False, True])
    async def test_what_belongs_to_a_webhook_goes_with_it(self, store: Store, whole_organization: bool) -> None:
        tenant, webhook = await webhook_in(store)
        await keep(store, a_webhook_secret(webhook), a_delivery(webhook))

        async with store() as tx:
            if whole_organization:
                await tx.organizations.remove(await tx.organizations.lock(tenant))
            else:
                await tx.webhooks.remove(webhook)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.webhooks.find(webhook.id) is None
            assert list(await tx.webhook_secrets.of(webhook.id)) == []
            assert (await tx.deliveries.list(webhook, PageRequest(), status=None)).items == []

    async def test_behind_are_those_that_have_not_read_to_the_end(self, store: Store) -> None:
        tenant, first = await webhook_in(store)
        others = [a_webhook(tenant, read_to=1), a_webhook(tenant, enabled=False), a_webhook(tenant)]
        await webhook_in(store)
        async with store() as tx:
            for webhook in others:
                await tx.webhooks.add(webhook)
            await tx.events.add(an_event(tenant.org_id))
            await tx.commit()

        async with store.reading() as tx:
            assert list(await tx.webhooks.behind(after="", limit=9)) == [first.id, others[2].id]
            assert list(await tx.webhooks.behind(after="", limit=1)) == [first.id]
            assert list(await tx.webhooks.behind(after=first.id, limit=9)) == [others[2].id]


class WebhookSecretRepositoryContract:
    async def test_secrets_are_their_webhook_s_newest_first(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        _, other = await webhook_in(store)
        older, newer = a_webhook_secret(webhook), a_webhook_secret(webhook)
        await keep(store, older, newer, a_webhook_secret(other))

        async with store() as tx:
            assert list(await tx.webhook_secrets.of(webhook.id)) == [newer, older]
            await tx.webhook_secrets.expire(newer, at=LATER)
            await tx.webhook_secrets.remove(older)
            await tx.commit()

        async with store.reading() as tx:
            assert list(await tx.webhook_secrets.of(webhook.id)) == [replace(newer, expires_at=LATER)]

    async def test_wrappings_are_moved_in_batches_unless_the_row_was(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        still, moved, third = (a_webhook_secret(webhook, key_id="old") for _ in range(3))
        await keep(store, still, moved, a_webhook_secret(webhook, key_id="new"), third)
        fresh, other = a_sealed("new", wrapped_key=b"fresh"), a_sealed("other", wrapped_key=b"other")
        async with store() as tx:
            assert await tx.webhook_secrets.count_by_key() == {"old": 3, "new": 1}
            batch = list(await tx.webhook_secrets.not_under("new", after="", limit=2))
            rest = list(await tx.webhook_secrets.not_under("new", after=moved.id, limit=2))
            await tx.webhook_secrets.rewrap([(moved, other)])
            await tx.commit()

        async with store() as tx:
            await tx.webhook_secrets.rewrap([(each, fresh) for each in batch])
            await tx.commit()

        assert (batch, rest) == ([still, moved], [third])
        async with store.reading() as tx:
            found = list(await tx.webhook_secrets.of(webhook.id))
        assert found[2:] == [replace(moved, sealed=other), replace(still, sealed=fresh)]


class DeliveryRepositoryContract:
    async def test_a_delivery_comes_back_whole_by_its_webhook_alone(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        _, other = await webhook_in(store)
        delivery = a_delivery(webhook)
        await keep(store, delivery)

        async with store.reading() as tx:
            assert await tx.deliveries.get(webhook, delivery.id) == delivery
            for whose, which in ((other, delivery.id), (webhook, a_delivery(webhook).id)):
                with pytest.raises(NotFound) as caught:
                    await tx.deliveries.get(whose, which)
                assert caught.value.code == "webhook_delivery_not_found"

    async def test_an_attempt_is_written_over_the_version_before_it_alone(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        delivery = a_delivery(webhook)
        await keep(store, delivery)
        tried = delivery.tried(FAILED, at=LATER, next_attempt_at=LATER)

        async with store() as tx:
            await tx.deliveries.update(tried)
            await tx.commit()

        async with store.reading() as tx:
            assert await tx.deliveries.get(webhook, delivery.id) == replace(tried, version=2)
        with pytest.raises(StaleVersion):
            async with store() as tx:
                await tx.deliveries.update(tried)

    async def test_deliveries_are_listed_newest_first_by_status(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        _, other = await webhook_in(store)
        pending = a_delivery(webhook)
        failed = a_delivery(webhook).tried(FAILED, at=NOW, next_attempt_at=None)
        await keep(store, pending, failed, a_delivery(other))

        async with store.reading() as tx:
            everything = await tx.deliveries.list(webhook, PageRequest(), status=None)
            page = await tx.deliveries.list(webhook, PageRequest(limit=1), status=None)
            rest = await tx.deliveries.list(webhook, PageRequest(limit=1, before=page.next_before), status=None)
            found = await tx.deliveries.list(webhook, PageRequest(), status=DeliveryStatus.FAILED)

        assert [*page.items, *rest.items] == list(everything.items) == [failed, pending]
        assert list(found.items) == [failed]

    async def test_what_is_due_comes_by_its_time(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        _, other = await webhook_in(store)
        second, first = a_delivery(webhook), a_delivery(webhook, next_attempt_at=NOW - timedelta(hours=1))
        over = a_delivery(webhook).tried(FAILED, at=NOW, next_attempt_at=None)
        coming = a_delivery(webhook, next_attempt_at=LATER)
        await keep(store, second, first, over, coming)

        async with store.reading() as tx:
            assert list(await tx.deliveries.due(webhook.id, now=NOW, limit=9)) == [first, second]
            assert list(await tx.deliveries.due(webhook.id, now=NOW, limit=1)) == [first]
            assert await tx.deliveries.next_due_at(webhook.id) == first.next_attempt_at
            assert await tx.deliveries.next_due_at(other.id) is None

    async def test_what_waits_may_be_given_up(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        _, other = await webhook_in(store)
        waiting, foreign = a_delivery(webhook), a_delivery(other)
        over = a_delivery(webhook).tried(FAILED, at=NOW, next_attempt_at=None)
        await keep(store, waiting, over, foreign)

        async with store() as tx:
            await tx.deliveries.fail_pending(webhook.id, Failure.WEBHOOK_DISABLED)
            await tx.commit()

        ended = replace(
            waiting,
            status=DeliveryStatus.FAILED,
            failure=Failure.WEBHOOK_DISABLED,
            next_attempt_at=None,
            version=2,
        )
        async with store.reading() as tx:
            assert list((await tx.deliveries.list(webhook, PageRequest(), status=None)).items) == [over, ended]
            assert list((await tx.deliveries.list(other, PageRequest(), status=None)).items) == [foreign]

    async def test_pruning_takes_what_is_over_and_old(self, store: Store) -> None:
        _, webhook = await webhook_in(store)
        waiting, old, older, young = (
            a_delivery(webhook, created_at=at) for at in (NOW, NOW, NOW - timedelta(hours=1), LATER)
        )
        ended = [each.tried(FAILED, at=NOW, next_attempt_at=None) for each in (old, older, young)]
        await keep(store, waiting, *ended)

        async with store() as tx:
            pruned = [
                await tx.deliveries.prune(before=LATER, limit=1),
                await tx.deliveries.prune(before=LATER, limit=9),
            ]
            await tx.commit()

        assert pruned == [1, 1]
        async with store.reading() as tx:
            assert list((await tx.deliveries.list(webhook, PageRequest(), status=None)).items) == [ended[2], waiting]
