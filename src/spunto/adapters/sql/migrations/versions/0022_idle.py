"""After how long without use workers are stopped. Those of before, and of projects of before, never are."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import Instant

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("projects", sa.Column("idle_timeout_seconds", sa.BigInteger(), nullable=True))
    for table in ("workers", "destroyed_workers"):
        op.add_column(table, sa.Column("idle_timeout_seconds", sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column("kept_until", Instant, nullable=True))
        op.add_column(table, sa.Column("stop_reason", sa.Text(), nullable=True))
