"""Who may come in: sessions, keys, identities and devices."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from spunto.adapters.sql.tables.metadata import metadata
from spunto.adapters.sql.types import ID, JSON_MAP, Instant

sessions = Table(
    "sessions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, nullable=False, index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("last_seen_at", Instant, nullable=False),
    # None for one that ends by age alone.
    Column("idle_seconds", BigInteger),
    Column("revoked_at", Instant),
)

sign_in_codes = Table(
    "sign_in_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    # None for a key of the organization.
    Column("user_id", ID),
    Column("created_by", ID, nullable=False),
    Column("kid", ID, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", JSON_MAP, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
    Index(None, "org_id", "id"),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("user_id", ID, nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("issuer", "subject"),
)

device_codes = Table(
    "device_codes",
    metadata,
    Column("device_hash", LargeBinary, primary_key=True),
    Column("user_code_hash", LargeBinary, nullable=False, unique=True),
    Column("client_name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("interval_seconds", BigInteger, nullable=False),
    Column("polled_at", Instant),
    Column("state", Text, nullable=False),
    Column("user_id", ID),
)
