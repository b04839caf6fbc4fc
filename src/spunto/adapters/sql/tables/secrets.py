"""Secrets that are sealed under a key of the keyring."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, UniqueConstraint

from spunto.adapters.sql.tables.metadata import metadata
from spunto.adapters.sql.types import ID, Instant

# `user_id` is the owner's id, which may be an organization's: the name is older than their secrets.
user_secrets = Table(
    "user_secrets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("consent", Text, nullable=False, server_default="own"),
    UniqueConstraint("user_id", "name"),
    Index(None, "user_id", "id"),
    Index(None, "key_id", "id"),
)

canaries = Table(
    "canaries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)
