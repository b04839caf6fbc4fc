"""Which server process holds a node's connection, and for how long it may be believed."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import ID, JSON_MAP, Instant

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "replicas",
        sa.Column("id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("lease_until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replicas")),
    )
    op.add_column("nodes", sa.Column("holder", ID, nullable=True))
    op.add_column("nodes", sa.Column("supersessions", JSON_MAP, nullable=True))
    op.create_index(op.f("ix_nodes_holder_id"), "nodes", ["holder", "id"], unique=False)
    op.create_index(op.f("ix_assignments_wanted_since"), "assignments", ["wanted_since"], unique=False)
