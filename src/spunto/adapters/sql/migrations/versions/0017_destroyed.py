"""What is told of workers that are gone."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import ID, JSON_MAP, Instant

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "destroyed_workers",
        sa.Column("id", ID, nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("project_version", sa.BigInteger(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("api_key_id", ID, nullable=True),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", Instant, nullable=False),
        sa.Column("deadline_at", Instant, nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("container_id", sa.Text(), nullable=True),
        sa.Column("docker_state", sa.Text(), nullable=False),
        sa.Column("setup", JSON_MAP, nullable=True),
        sa.Column("problem", JSON_MAP, nullable=True),
        sa.Column("last_activity_at", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("stopped_at", Instant, nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("env", JSON_MAP, nullable=False),
        sa.Column("granted", sa.Text(), nullable=False),
        sa.Column("way_back", JSON_MAP, nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("metadata", JSON_MAP, nullable=False),
        sa.Column("last_activity", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destroyed_workers")),
    )
    op.create_index(op.f("ix_destroyed_workers_org_id_id"), "destroyed_workers", ["org_id", "id"], unique=False)
    op.create_index(op.f("ix_destroyed_workers_state_since"), "destroyed_workers", ["state_since"], unique=False)
