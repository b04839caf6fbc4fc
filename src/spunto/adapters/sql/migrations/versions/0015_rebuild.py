"""What a worker was before a rebuild that is not over."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import JSON_MAP

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("workers", sa.Column("way_back", JSON_MAP, nullable=True))
