"""Nodes, and the server processes that hold them; assignments and tombstones go with their node."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from spunto.adapters.sql.tables.metadata import Conflicts, metadata
from spunto.adapters.sql.types import ID, JSON_MAP, Instant

nodes = Table(
    "nodes",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("labels", JSON_MAP, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("cpu_millis", BigInteger),
    Column("memory_bytes", BigInteger),
    Column("max_worker_cpu_millis", BigInteger),
    Column("reserved_cpu_millis", BigInteger, nullable=False),
    Column("reserved_memory_bytes", BigInteger, nullable=False),
    Column("assignments", BigInteger, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("quarantine", JSON_MAP),
    Column("epoch", BigInteger, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("connection_changed_at", Instant),
    Column("holder", ID),
    Column("agent", JSON_MAP),
    Column("supersessions", JSON_MAP),
    Column("limits", JSON_MAP),
    Column("incompatible", JSON_MAP),
    Column("deleting_at", Instant),
    Column("version", BigInteger, nullable=False),
    # What `scheduling.placement` says of the node, kept for choosing by index: its obstacle to a demand of nothing, the
    # sorted words of what its agent can do, each between bars, and the share in its load key.
    Column("accepting", Boolean, nullable=False),
    Column("capabilities", Text, nullable=False, server_default=""),
    Column("load", Double),
    # Each between two line ends.
    Column("tags", Text, nullable=False, server_default=""),
    Column("metadata", JSON_MAP, nullable=False, server_default="{}"),
    UniqueConstraint("org_id", "name"),
    Index(None, "org_id", "id"),
    Index(None, "org_id", "accepting", "load", "assignments", "id"),
    Index(None, "holder", "id"),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", ID, primary_key=True),
    Column("url", Text),
    Column("lease_until", Instant, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("subject_id", ID, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("org_id", ID, nullable=False),
    Column("node_id", ID, ForeignKey("nodes.id", ondelete="CASCADE"), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("spec", JSON_MAP, nullable=False),
    Column("cpu_millis", BigInteger, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("reserves", Boolean, nullable=False),
    Column("observed", JSON_MAP),
    Column("wanted_since", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("cause", Text, nullable=False, server_default=""),
    Index(None, "node_id", "subject_id"),
    Index(None, "wanted_since"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("node_id", ID, ForeignKey("nodes.id", ondelete="CASCADE"), nullable=False),
    Column("subject_id", ID, nullable=False),
    Column("buried_at", Instant, nullable=False),
    Column("kind", Text, nullable=False, server_default="worker"),
    Column("generation", BigInteger, nullable=False, server_default=text("4294967296")),
    Column("cause", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("node_id", "subject_id"),
)

CONFLICTS: Conflicts = {
    "uq_nodes_org_id_name": ("node_name_taken", "The organization has a node of this name already."),
    "pk_assignments": ("assignment_exists", "This stands on a node already."),
}
