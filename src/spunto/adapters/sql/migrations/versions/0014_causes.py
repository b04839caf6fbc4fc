"""Which request asked for what is gone, for the event that tells of its end."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("tombstones", sa.Column("cause", sa.Text(), nullable=False, server_default=""))
