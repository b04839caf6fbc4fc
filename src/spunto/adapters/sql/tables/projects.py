"""Projects; versions go with their project."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from spunto.adapters.sql.tables.metadata import Conflicts, metadata
from spunto.adapters.sql.types import ID, JSON_MAP, Instant

projects = Table(
    "projects",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("environment", JSON_MAP, nullable=False),
    Column("workers_made", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("creator_id", ID, nullable=False, server_default=""),
    # Each between two line ends.
    Column("tags", Text, nullable=False, server_default=""),
    Column("metadata", JSON_MAP, nullable=False, server_default="{}"),
    Column("sharing", JSON_MAP, nullable=False, server_default="{}"),
    Column("idle_timeout_seconds", BigInteger),
    UniqueConstraint("org_id", "name"),
    Index(None, "org_id", "id"),
)

project_versions = Table(
    "project_versions",
    metadata,
    Column("project_id", ID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("org_id", ID, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("environment", JSON_MAP, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("restored_from", BigInteger),
    Column("owner_id", ID, nullable=False, server_default=""),
    PrimaryKeyConstraint("project_id", "number"),
)

CONFLICTS: Conflicts = {
    "uq_projects_org_id_name": ("project_name_taken", "The organization has a project of this name already."),
}
