"""How workers are reached from outside, and the edges that let people in. Workers of before get their routes."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import ID, JSON_MAP, Instant

revision = "0019"
down_revision = "0018"

_FILL = """
INSERT INTO routes
    (id, kind, org_id, owner_id, "index", node_id, state, reason, sharing, changed_at, generation, version)
SELECT id, 'worker', org_id, COALESCE(user_id, api_key_id, ''), "index", node_id,
    CASE state
        WHEN 'spawning' THEN 'coming'
        WHEN 'starting' THEN 'coming'
        WHEN 'ready' THEN 'up'
        WHEN 'destroying' THEN 'gone'
        ELSE 'down'
    END,
    -- The next change of the worker tells what its problem is.
    state, '{}', state_since, 1, 1
FROM workers
"""


def upgrade() -> None:
    op.create_table(
        "routes",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sharing", JSON_MAP, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routes")),
    )
    op.create_index(op.f("ix_routes_org_id"), "routes", ["org_id"], unique=False)
    op.create_index(op.f("ix_routes_changed_at"), "routes", ["changed_at"], unique=False)
    op.create_table(
        "edges",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", Instant, nullable=True),
        sa.Column("lease_until", Instant, nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edges")),
        sa.UniqueConstraint("name", name=op.f("uq_edges_name")),
    )
    op.create_table(
        "applied_routes",
        sa.Column("edge_id", ID, nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["edge_id"], ["edges.id"], name=op.f("fk_applied_routes_edge_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("edge_id", "subject_id", name=op.f("pk_applied_routes")),
    )
    op.create_index(op.f("ix_applied_routes_subject_id"), "applied_routes", ["subject_id"], unique=False)
    op.execute(_FILL)
