"""The event feed, and webhooks with their deliveries."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import ID, JSON_MAP, Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("audit_entries", sa.Column("outcome", sa.Text(), nullable=False, server_default="allowed"))
    op.create_table(
        "event_feeds",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_event_feeds")),
    )
    op.create_table(
        "events",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("data", JSON_MAP, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "sequence", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"], unique=False)
