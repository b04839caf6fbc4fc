"""Webhooks and the secrets that sign for them in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from spunto.adapters.sql.paging import one_more, page_of, paged, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.activity import event_feeds as feeds
from spunto.adapters.sql.tables.activity import events
from spunto.adapters.sql.tables.webhooks import webhook_secrets, webhooks
from spunto.adapters.sql.types import Instant
from spunto.core.access.model import Tenant
from spunto.core.activity.events import EventType
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.secrets.model import Sealed
from spunto.core.webhooks.model import DisabledReason, Webhook, WebhookId, WebhookSecret

_OF_ORG = webhooks.c.org_id == bindparam("of_org")
_IS_CURRENT = (webhooks.c.id == bindparam("of_id")) & (webhooks.c.version == bindparam("of_version"))
_ADD = insert(webhooks)
_FIND = select(webhooks).where(webhooks.c.id == bindparam("of_id"))
_LIST = paged(select(webhooks).where(_OF_ORG), webhooks.c.id)
_COUNT = select(func.count()).select_from(webhooks).where(_OF_ORG)
_UPDATE = update(webhooks).where(_IS_CURRENT)
_REMOVE = delete(webhooks).where(_IS_CURRENT)
# The number of the newest event is where the event itself is, or if that is forgotten where they are counted.
_HAS_NEWS = exists().where(events.c.org_id == webhooks.c.org_id, events.c.sequence > webhooks.c.read_to)
_HAS_MISSED = exists().where(feeds.c.org_id == webhooks.c.org_id, feeds.c.last > webhooks.c.read_to)
_BEHIND = (
    select(webhooks.c.id)
    .where(webhooks.c.enabled, _HAS_NEWS | _HAS_MISSED, webhooks.c.id > bindparam("after"))
    .order_by(webhooks.c.id)
    .limit(one_more())
)

_secrets = webhook_secrets.c
_IS_SECRET = _secrets.id == bindparam("of_id")
_ADD_SECRET = insert(webhook_secrets)
_SECRETS_OF = select(webhook_secrets).where(_secrets.webhook_id == bindparam("of_webhook")).order_by(_secrets.id.desc())
_EXPIRE = update(webhook_secrets).where(_IS_SECRET).values(expires_at=bindparam("at", type_=Instant))
_REMOVE_SECRET = delete(webhook_secrets).where(_IS_SECRET)
_NOT_UNDER = (
    select(webhook_secrets)
    .where(_secrets.key_id != bindparam("key_id"), _secrets.id > bindparam("after"))
    .order_by(_secrets.id)
    .limit(one_more())
)
_REWRAP = (
    update(webhook_secrets)
    .where(_IS_SECRET, _secrets.key_id == bindparam("of_key"))
    .values(key_id=bindparam("to_key"), wrapped_key=bindparam("to_wrapped_key"))
)
_COUNT_BY_KEY = select(_secrets.key_id, func.count()).group_by(_secrets.key_id)


class SqlWebhookRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, webhook: Webhook) -> None:
        row = {"id": webhook.id, "org_id": webhook.org_id, "created_at": webhook.created_at}
        await self._statements.change(_ADD, {**row, **_changing(webhook)})

    async def get(self, tenant: Tenant, webhook_id: WebhookId) -> Webhook:
        found = await self.find(webhook_id)
        if found is None or found.org_id != tenant.org_id:
            raise NotFound("webhook_not_found", f"There is no webhook {webhook_id!r}.", id=webhook_id)
        return found

    async def find(self, webhook_id: WebhookId) -> Webhook | None:
        row = await first(self._statements, _FIND, {"of_id": webhook_id})
        return None if row is None else _webhook(row)

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Webhook]:
        rows = await self._statements.all(_LIST, {"of_org": tenant.org_id, **window(page)})
        return page_of(rows, page.limit, item_of=_webhook, key_of=lambda webhook: webhook.id)

    async def count(self, tenant: Tenant) -> int:
        row = await first(self._statements, _COUNT, {"of_org": tenant.org_id})
        return 0 if row is None else int(row[0])

    async def update(self, webhook: Webhook) -> Webhook:
        after = replace(webhook, version=webhook.version + 1)
        await self._change_current(_UPDATE, webhook, _changing(after))
        return after

    async def remove(self, webhook: Webhook) -> None:
        await self._change_current(_REMOVE, webhook, {})

    async def behind(self, *, after: str, limit: int) -> Sequence[WebhookId]:
        rows = await self._statements.all(_BEHIND, {"after": after, "limit": limit})
        return [row[0] for row in rows]

    async def _change_current(self, statement: Any, webhook: Webhook, values: dict[str, Any]) -> None:
        which = {"of_id": webhook.id, "of_version": webhook.version}
        if await self._statements.change(statement, {**which, **values}) == 0:
            raise StaleVersion("webhook", webhook.id)


class SqlWebhookSecretRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, secret: WebhookSecret) -> None:
        await self._statements.change(
            _ADD_SECRET,
            {
                "id": secret.id,
                "webhook_id": secret.webhook_id,
                "org_id": secret.org_id,
                "key_id": secret.sealed.key_id,
                "wrapped_key": secret.sealed.wrapped_key,
                "ciphertext": secret.sealed.ciphertext,
                "created_at": secret.created_at,
                "expires_at": secret.expires_at,
            },
        )

    async def of(self, webhook_id: WebhookId) -> Sequence[WebhookSecret]:
        return [_secret(row) for row in await self._statements.all(_SECRETS_OF, {"of_webhook": webhook_id})]

    async def expire(self, secret: WebhookSecret, *, at: datetime) -> None:
        await self._statements.change(_EXPIRE, {"of_id": secret.id, "at": at})

    async def remove(self, secret: WebhookSecret) -> None:
        await self._statements.change(_REMOVE_SECRET, {"of_id": secret.id})

    async def not_under(self, key_id: str, *, after: str, limit: int) -> Sequence[WebhookSecret]:
        rows = await self._statements.all(_NOT_UNDER, {"key_id": key_id, "after": after, "limit": limit})
        return [_secret(row) for row in rows]

    async def rewrap(self, rewrapped: Sequence[tuple[WebhookSecret, Sealed]]) -> None:
        await self._statements.change(
            _REWRAP,
            [
                {
                    "of_id": before.id,
                    "of_key": before.sealed.key_id,
                    "to_key": sealed.key_id,
                    "to_wrapped_key": sealed.wrapped_key,
                }
                for before, sealed in rewrapped
            ],
        )

    async def count_by_key(self) -> Mapping[str, int]:
        return {row[0]: row[1] for row in await self._statements.all(_COUNT_BY_KEY, {})}


def _changing(webhook: Webhook) -> dict[str, Any]:
    return {
        "url": webhook.url,
        "description": webhook.description,
        "events": None if webhook.events is None else sorted(webhook.events),
        "enabled": webhook.enabled,
        "disabled_reason": None if webhook.disabled_reason is None else webhook.disabled_reason.value,
        "read_to": webhook.read_to,
        "failing_since": webhook.failing_since,
        "updated_at": webhook.updated_at,
        "version": webhook.version,
    }


def _webhook(row: AnyRow) -> Webhook:
    webhook_id, org_id, url, description, events, enabled, reason, read_to, *more = row
    failing_since, created_at, updated_at, version = more
    return Webhook(
        id=webhook_id,
        org_id=org_id,
        url=url,
        description=description,
        events=None if events is None else frozenset(map(EventType, events)),
        enabled=enabled,
        disabled_reason=None if reason is None else DisabledReason(reason),
        read_to=read_to,
        failing_since=failing_since,
        created_at=created_at,
        updated_at=updated_at,
        version=version,
    )


def _secret(row: AnyRow) -> WebhookSecret:
    secret_id, webhook_id, org_id, key_id, wrapped_key, ciphertext, created_at, expires_at = row
    return WebhookSecret(
        id=secret_id,
        webhook_id=webhook_id,
        org_id=org_id,
        sealed=Sealed(key_id=key_id, wrapped_key=wrapped_key, ciphertext=ciphertext),
        created_at=created_at,
        expires_at=expires_at,
    )
