"""The cause of an assignment beside its spec, and what kind of subject a tombstone is for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_CAUSES = {
    "sqlite": """
        UPDATE assignments SET cause = coalesce(json_extract(spec, '$.cause'), ''), spec = json_remove(spec, '$.cause')
        WHERE json_type(spec, '$.cause') IS NOT NULL
    """,
    "postgresql": """
        UPDATE assignments SET cause = coalesce(spec ->> 'cause', ''), spec = spec - 'cause' WHERE spec ? 'cause'
    """,
}
# Later than any generation that a node has heard of the subjects buried before generations were written down.
_LATER = "4294967296"


def upgrade() -> None:
    op.add_column("assignments", sa.Column("cause", sa.Text(), nullable=False, server_default=""))
    op.execute(sa.text(_CAUSES[op.get_bind().dialect.name]))
    op.add_column("tombstones", sa.Column("kind", sa.Text(), nullable=False, server_default="worker"))
    later = sa.Column("generation", sa.BigInteger(), nullable=False, server_default=sa.text(_LATER))
    op.add_column("tombstones", later)
