"""Webhooks, which go with their organization; secrets and deliveries go with their webhook."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, Table, Text

from spunto.adapters.sql.tables.metadata import metadata
from spunto.adapters.sql.types import ID, JSON_MAP, Instant

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    # None for all of them.
    Column("events", JSON_MAP),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("read_to", BigInteger, nullable=False),
    Column("failing_since", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index(None, "org_id", "id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook_id", ID, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("org_id", ID, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Index(None, "key_id", "id"),
    Index(None, "webhook_id", "id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook_id", ID, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", ID, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("response_status", BigInteger),
    Column("failure", Text),
    Column("duration_ms", BigInteger),
    Column("created_at", Instant, nullable=False, index=True),
    Column("last_attempt_at", Instant),
    Column("next_attempt_at", Instant),
    Column("version", BigInteger, nullable=False),
    Index(None, "webhook_id", "id"),
    Index(None, "webhook_id", "next_attempt_at"),
)
