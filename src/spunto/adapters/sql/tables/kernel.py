"""The work queue, answers that are remembered, and which timeline of the database this is."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from spunto.adapters.sql.tables.metadata import metadata
from spunto.adapters.sql.types import ID, Instant

due_subjects = Table(
    "due_subjects",
    metadata,
    Column("kind", Text, nullable=False),
    Column("subject_id", ID, nullable=False),
    # Of a claimed one the end of its lease; what was asked for during the claim waits in `again_at`.
    Column("due_at", Instant, nullable=False),
    Column("again_at", Instant),
    Column("lease_token", Text),
    Column("attempts", BigInteger, nullable=False),
    Column("last_error", Text),
    PrimaryKeyConstraint("kind", "subject_id"),
    Index(None, "kind", "due_at"),
)

remembered_requests = Table(
    "remembered_requests",
    metadata,
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("made_at", Instant, nullable=False, index=True),
    # As the door wrote it; empty where only what was made is remembered.
    Column("answer", LargeBinary),
    PrimaryKeyConstraint("scope", "key"),
)

timelines = Table("timelines", metadata, Column("id", Text, primary_key=True))
