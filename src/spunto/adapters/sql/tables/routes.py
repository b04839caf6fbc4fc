"""How subjects are reached from outside, by what people get in, and the edges that let them in.

What an edge has applied goes with it.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from spunto.adapters.sql.tables.metadata import Conflicts, metadata
from spunto.adapters.sql.types import ID, JSON_MAP, Instant

routes = Table(
    "routes",
    metadata,
    # The subject's.
    Column("id", ID, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("org_id", ID, nullable=False, index=True),
    Column("owner_id", ID, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("node_id", ID, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sharing", JSON_MAP, nullable=False),
    Column("changed_at", Instant, nullable=False, index=True),
    Column("generation", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

edges = Table(
    "edges",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("token_hash", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("url", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seen_at", Instant),
    Column("lease_until", Instant),
    Column("version", BigInteger, nullable=False),
)

applied_routes = Table(
    "applied_routes",
    metadata,
    Column("edge_id", ID, ForeignKey("edges.id", ondelete="CASCADE"), nullable=False),
    Column("subject_id", ID, nullable=False),
    Column("generation", BigInteger, nullable=False),
    PrimaryKeyConstraint("edge_id", "subject_id"),
    Index(None, "subject_id"),
)
"""The generation of each route that an edge has said to go by."""

entry_codes = Table(
    "entry_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("session_id", ID, nullable=False),
    Column("subject_id", ID, nullable=False),
    Column("host", Text, nullable=False),
    Column("nonce_hash", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

port_links = Table(
    "port_links",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False, index=True),
    Column("subject_id", ID, nullable=False),
    Column("port", BigInteger, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("made_by", ID, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Index(None, "subject_id", "port"),
)

CONFLICTS: Conflicts = {
    "uq_edges_name": ("edge_name_taken", "There is an edge of this name already."),
}
