"""What is let be given away of a node, why its agent is not understood, and since when it is being deleted."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import JSON_MAP, Instant

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("nodes", sa.Column("limits", JSON_MAP))
    op.add_column("nodes", sa.Column("incompatible", JSON_MAP))
    op.add_column("nodes", sa.Column("deleting_at", Instant()))
