"""Which workers a secret enters, who made projects and versions, and what was asked for beside a worker's project."""

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import ID, JSON_MAP

revision = "0011"
down_revision = "0010"

# Who a key acted for; a key of an organization acted for itself.
_MAKERS = """
UPDATE project_versions SET owner_id =
COALESCE((SELECT api_keys.user_id FROM api_keys WHERE api_keys.id = project_versions.made_by), project_versions.made_by)
"""
_CREATORS = """
UPDATE projects SET creator_id = COALESCE((
    SELECT project_versions.owner_id FROM project_versions
    WHERE project_versions.project_id = projects.id AND project_versions.number = 1
), '')
"""


def upgrade() -> None:
    op.add_column("user_secrets", sa.Column("consent", sa.Text(), nullable=False, server_default="own"))
    op.add_column("projects", sa.Column("creator_id", ID, nullable=False, server_default=""))
    op.add_column("project_versions", sa.Column("owner_id", ID, nullable=False, server_default=""))
    op.add_column("workers", sa.Column("env", JSON_MAP, nullable=False, server_default="{}"))
    op.add_column("workers", sa.Column("granted", sa.Text(), nullable=False, server_default=""))
    op.execute(sa.text(_MAKERS))
    op.execute(sa.text(_CREATORS))
