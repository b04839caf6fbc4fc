"""Webhooks and the secrets that sign for them in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from spunto.adapters.sql.paging import one_more
from spunto.adapters.sql.sealed import SealedTable, SqlSealedRows, sealed_columns
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.activity import event_feeds as feeds
from spunto.adapters.sql.tables.activity import events
from spunto.adapters.sql.tables.webhooks import webhook_secrets, webhooks
from spunto.adapters.sql.types import Instant
from spunto.adapters.sql.versioned import Versioned
from spunto.core.access.model import Tenant
from spunto.core.activity.events import EventType
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.secrets.model import Sealed
from spunto.core.webhooks.model import DisabledReason, Webhook, WebhookId, WebhookSecret

_OF_ORG = webhooks.c.org_id == bindparam("of_org")
_COUNT = select(func.count()).select_from(webhooks).where(_OF_ORG)
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


class SqlWebhookRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, webhook: Webhook) -> None:
        await _WEBHOOKS.add(self._statements, webhook)

    async def get(self, tenant: Tenant, webhook_id: WebhookId) -> Webhook:
        return await _WEBHOOKS.get(self._statements, tenant, webhook_id)

    async def find(self, webhook_id: WebhookId) -> Webhook | None:
        return await _WEBHOOKS.find(self._statements, webhook_id)

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Webhook]:
        return await _WEBHOOKS.list(self._statements, tenant, page)

    async def count(self, tenant: Tenant) -> int:
        row = await first(self._statements, _COUNT, {"of_org": tenant.org_id})
        return 0 if row is None else int(row[0])

    async def update(self, webhook: Webhook) -> Webhook:
        return await _WEBHOOKS.update(self._statements, webhook)

    async def remove(self, webhook: Webhook) -> None:
        await _WEBHOOKS.remove(self._statements, webhook)

    async def behind(self, *, after: str, limit: int) -> Sequence[WebhookId]:
        rows = await self._statements.all(_BEHIND, {"after": after, "limit": limit})
        return [row[0] for row in rows]


class SqlWebhookSecretRepository(SqlSealedRows[WebhookSecret]):
    def __init__(self, statements: Statements) -> None:
        super().__init__(statements, _SEALED)

    async def add(self, secret: WebhookSecret) -> None:
        await self._statements.change(
            _ADD_SECRET,
            {
                "id": secret.id,
                "webhook_id": secret.webhook_id,
                "org_id": secret.org_id,
                **sealed_columns(secret.sealed),
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


def _columns(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "org_id": webhook.org_id,
        "url": webhook.url,
        "description": webhook.description,
        "events": None if webhook.events is None else sorted(webhook.events),
        "enabled": webhook.enabled,
        "disabled_reason": None if webhook.disabled_reason is None else webhook.disabled_reason.value,
        "read_to": webhook.read_to,
        "failing_since": webhook.failing_since,
        "created_at": webhook.created_at,
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


_WEBHOOKS = Versioned(webhooks, kind="webhook", read=_webhook, write=_columns, fixed=["org_id"])
_SEALED = SealedTable(webhook_secrets, _secret)
