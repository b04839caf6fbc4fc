"""The first answer to a request that may be repeated, word by word."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("remembered_requests", sa.Column("answer", sa.LargeBinary()))
