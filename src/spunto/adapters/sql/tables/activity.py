"""What was done, and what happened."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Text

from spunto.adapters.sql.tables.metadata import metadata
from spunto.adapters.sql.types import ID, JSON_MAP, Instant

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("credential_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("detail", JSON_MAP, nullable=False),
    Column("outcome", Text, nullable=False, server_default="allowed"),
    Index(None, "org_id", "id"),
)

event_feeds = Table(
    "event_feeds",
    metadata,
    Column("org_id", ID, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("org_id", ID, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("id", ID, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("data", JSON_MAP, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("request_id", Text, nullable=False),
    PrimaryKeyConstraint("org_id", "sequence"),
)
