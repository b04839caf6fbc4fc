"""Use cases of webhooks: made, changed and removed by admins; a signing secret is shown to whoever makes it."""

from dataclasses import replace
from typing import TypedDict, Unpack

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.preconditions import Precondition, require
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.members import live
from spunto.core.secrets.ports import Cipher
from spunto.core.webhooks.addresses import AddressRule
from spunto.core.webhooks.model import (
    MAX_WEBHOOKS,
    OLD_SECRET_FOR,
    Webhook,
    WebhookId,
    WebhookSecret,
    WebhookSecretId,
    WebhookWithSecret,
    bound_to,
)
from spunto.core.webhooks.ports import WebhooksTransaction
from spunto.core.webhooks.signing import new_secret
from spunto.core.webhooks.urls import host_of, require_url


class Changes(TypedDict, total=False):
    """What is to be changed; what is absent stays."""

    url: str
    description: str
    events: frozenset[EventType] | None
    enabled: bool


class WebhookService:
    def __init__(
        self,
        uow: UnitOfWork[WebhooksTransaction],
        *,
        cipher: Cipher,
        rule: AddressRule,
        auditor: Auditor,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._uow = uow
        self._cipher = cipher
        self._rule = rule
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @retried
    async def create(
        self,
        actor: Actor,
        org_id: OrgId,
        *,
        url: str,
        events: frozenset[EventType] | None = None,
        description: str = "",
        enabled: bool = True,
        idempotency: IdempotencyKey | None = None,
    ) -> WebhookWithSecret:
        """Make a webhook that is told what happens from now on, its own making first.

        Raises Invalid `webhook_url_invalid`, `webhook_url_not_allowed`; Conflict `webhooks_full`, and
        `token_not_repeatable` for a repeat.
        """
        tenant = actor.require(Action.WEBHOOK_CREATE, org_id=org_id)
        require_url(url, self._rule)
        now, scope = self._clock.now(), f"{org_id}/webhooks"
        async with self._uow() as tx:
            await tx.organizations.lock(tenant)
            tenant = await live(tx, actor, Action.WEBHOOK_CREATE, org_id)
            once = Once(tx.idempotency, scope, idempotency, now=now)
            await once.require_first()
            await _require_room(tx, tenant)
            webhook = Webhook(
                id=WebhookId(self._ids.new("whk")),
                org_id=org_id,
                url=url,
                description=description,
                events=events,
                enabled=enabled,
                read_to=await tx.events.last(org_id),
                created_at=now,
                updated_at=now,
            )
            await tx.webhooks.add(webhook)
            secret = await self._add_secret(tx, webhook)
            await self._auditor.record(tx, tenant, Action.WEBHOOK_CREATE, webhook.id, host=host_of(url))
            await once.makes(webhook.id)
            await tx.commit()
        return WebhookWithSecret(webhook=webhook, secret=secret)

    async def list(self, actor: Actor, org_id: OrgId, page: PageRequest) -> Page[Webhook]:
        tenant = actor.require(Action.WEBHOOK_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.webhooks.list(tenant, page)

    async def get(self, actor: Actor, org_id: OrgId, webhook_id: WebhookId) -> Webhook:
        """Raises NotFound `webhook_not_found`."""
        tenant = actor.require(Action.WEBHOOK_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            return await tx.webhooks.get(tenant, webhook_id)

    @retried
    async def update(
        self,
        actor: Actor,
        org_id: OrgId,
        webhook_id: WebhookId,
        *,
        precondition: Precondition | None = None,
        **changes: Unpack[Changes],
    ) -> Webhook:
        """Change what is named. One that is enabled again is told what happens from then on.

        Raises NotFound `webhook_not_found`, Invalid `webhook_url_invalid`, `webhook_url_not_allowed`,
        PreconditionFailed.
        """
        tenant = actor.require(Action.WEBHOOK_UPDATE, org_id=org_id)
        if "url" in changes:
            require_url(changes["url"], self._rule)
        async with self._uow() as tx:
            before = await tx.webhooks.get(tenant, webhook_id)
            require(precondition, before)
            after = replace(
                before,
                url=changes.get("url", before.url),
                description=changes.get("description", before.description),
                events=changes.get("events", before.events),
            )
            enabled = changes.get("enabled", before.enabled)
            if enabled and not before.enabled:
                after = after.switched_on(read_to=await tx.events.last(org_id))
            elif before.enabled and not enabled:
                after = after.switched_off()
            if after == before:
                return before
            after = await tx.webhooks.update(replace(after, updated_at=self._clock.now()))
            detail = {"host": host_of(after.url), "changed": " ".join(sorted(changes))}
            await self._auditor.record(tx, tenant, Action.WEBHOOK_UPDATE, webhook_id, **detail)
            await tx.commit()
        return after

    @retried
    async def delete(
        self, actor: Actor, org_id: OrgId, webhook_id: WebhookId, *, precondition: Precondition | None = None
    ) -> None:
        """End it, with its deliveries. Raises NotFound `webhook_not_found`, PreconditionFailed."""
        tenant = actor.require(Action.WEBHOOK_DELETE, org_id=org_id)
        async with self._uow() as tx:
            webhook = await tx.webhooks.get(tenant, webhook_id)
            require(precondition, webhook)
            await tx.webhooks.remove(webhook)
            await self._auditor.record(tx, tenant, Action.WEBHOOK_DELETE, webhook_id, host=host_of(webhook.url))
            await tx.commit()

    @retried
    async def rotate_secret(
        self, actor: Actor, org_id: OrgId, webhook_id: WebhookId, *, idempotency: IdempotencyKey | None = None
    ) -> WebhookWithSecret:
        """Sign by a new secret, and for a day by the one before it as well; an older one ends at once.

        Raises NotFound `webhook_not_found`, Conflict `token_not_repeatable` for a repeat.
        """
        tenant = actor.require(Action.WEBHOOK_UPDATE, org_id=org_id)
        now, scope = self._clock.now(), f"{webhook_id}/rotate-secret"
        async with self._uow() as tx:
            once = Once(tx.idempotency, scope, idempotency, now=now)
            await once.require_first()
            # A change of the row itself, so that of two rotations at once one is after the other.
            webhook = await tx.webhooks.get(tenant, webhook_id)
            webhook = await tx.webhooks.update(replace(webhook, updated_at=now))
            for old in await tx.webhook_secrets.of(webhook_id):
                if old.expires_at is None:
                    await tx.webhook_secrets.expire(old, at=now + OLD_SECRET_FOR)
                else:
                    await tx.webhook_secrets.remove(old)
            secret = await self._add_secret(tx, webhook)
            await self._auditor.record(tx, tenant, Action.WEBHOOK_UPDATE, webhook_id, changed="secret")
            await once.makes(webhook_id)
            await tx.commit()
        return WebhookWithSecret(webhook=webhook, secret=secret)

    async def _add_secret(self, tx: WebhooksTransaction, webhook: Webhook) -> Secret:
        secret_id, secret = WebhookSecretId(self._ids.new("whs")), new_secret()
        place = bound_to(org_id=webhook.org_id, webhook_id=webhook.id, secret_id=secret_id)
        await tx.webhook_secrets.add(
            WebhookSecret(
                id=secret_id,
                webhook_id=webhook.id,
                org_id=webhook.org_id,
                sealed=self._cipher.seal(secret, bound_to=place),
                created_at=self._clock.now(),
            )
        )
        return secret


async def _require_room(tx: WebhooksTransaction, tenant: Tenant) -> None:
    """Raises Conflict `webhooks_full`."""
    if await tx.webhooks.count(tenant) >= MAX_WEBHOOKS:
        raise Conflict(
            "webhooks_full",
            f"An organization has at most {MAX_WEBHOOKS} webhooks; delete one first.",
            limit=MAX_WEBHOOKS,
        )
