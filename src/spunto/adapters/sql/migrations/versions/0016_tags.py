"""What people find workers by, and what was done with a worker last."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import JSON_MAP

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("workers", sa.Column("tags", sa.Text(), nullable=False, server_default=""))
    op.add_column("workers", sa.Column("metadata", JSON_MAP, nullable=False, server_default="{}"))
    op.add_column("workers", sa.Column("last_activity", sa.Text(), nullable=False, server_default="spawn"))
