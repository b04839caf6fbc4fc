"""Workers; a project that has some stays."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from spunto.adapters.sql.tables.metadata import Conflicts, metadata
from spunto.adapters.sql.types import ID, JSON_MAP, Instant

workers = Table(
    "workers",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False),
    Column("project_id", ID, ForeignKey("projects.id"), nullable=False),
    Column("project_version", BigInteger, nullable=False),
    Column("user_id", ID),
    Column("api_key_id", ID),
    Column("index", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("branch", Text),
    Column("node_id", ID, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_since", Instant, nullable=False),
    Column("deadline_at", Instant),
    Column("generation", BigInteger, nullable=False),
    Column("container_id", Text),
    Column("docker_state", Text, nullable=False),
    Column("setup", JSON_MAP),
    Column("problem", JSON_MAP),
    Column("last_activity_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Column("version", BigInteger, nullable=False),
    Column("env", JSON_MAP, nullable=False, server_default="{}"),
    Column("granted", Text, nullable=False, server_default=""),
    Column("way_back", JSON_MAP),
    # Each between two line ends.
    Column("tags", Text, nullable=False, server_default=""),
    Column("metadata", JSON_MAP, nullable=False, server_default="{}"),
    Column("last_activity", Text, nullable=False, server_default="spawn"),
    Column("idle_timeout_seconds", BigInteger),
    Column("kept_until", Instant),
    Column("stop_reason", Text),
    UniqueConstraint("project_id", "name"),
    Index(None, "org_id", "project_id", "id"),
)

destroyed_workers = Table(
    "destroyed_workers",
    metadata,
    *(Column(each.name, each.type, primary_key=each.primary_key, nullable=each.nullable) for each in workers.c),
    Index(None, "org_id", "id"),
    Index(None, "state_since"),
)
"""What is told of workers that are gone, as they were in the end; their projects and names may be gone too."""

CONFLICTS: Conflicts = {
    "uq_workers_project_id_name": ("worker_name_taken", "The project has a worker of this name already."),
}
