"""What people find projects and nodes by."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import JSON_MAP

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    for table in ("projects", "nodes"):
        op.add_column(table, sa.Column("tags", sa.Text(), nullable=False, server_default=""))
        op.add_column(table, sa.Column("metadata", JSON_MAP, nullable=False, server_default="{}"))
