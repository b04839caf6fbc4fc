"""What new workers' ports begin with, by their project."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import JSON_MAP

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("projects", sa.Column("sharing", JSON_MAP, nullable=False, server_default="{}"))
