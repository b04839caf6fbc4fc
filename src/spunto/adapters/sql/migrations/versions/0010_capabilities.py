"""What a node's agent can do, where the placement can ask for it; the agents of before knew workers alone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("nodes", sa.Column("capabilities", sa.Text(), nullable=False, server_default=""))
    op.execute(sa.text("UPDATE nodes SET capabilities = '|kind:worker|' WHERE agent IS NOT NULL"))
