"""By what people get in to workers' ports: codes once, and links until they end."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import ID, Instant

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "entry_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("nonce_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_entry_codes")),
    )
    op.create_index(op.f("ix_entry_codes_expires_at"), "entry_codes", ["expires_at"], unique=False)
    op.create_table(
        "port_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("port", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", ID, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_port_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_port_links_token_hash")),
    )
    op.create_index(op.f("ix_port_links_org_id"), "port_links", ["org_id"], unique=False)
    op.create_index(op.f("ix_port_links_expires_at"), "port_links", ["expires_at"], unique=False)
    op.create_index(op.f("ix_port_links_subject_id_port"), "port_links", ["subject_id", "port"], unique=False)
