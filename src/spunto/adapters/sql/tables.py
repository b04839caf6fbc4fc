"""The tables, and which conflict a broken unique constraint stands for.

Foreign keys stand where a port promises something of them: versions go with their project, assignments and tombstones
with their node, invitations and webhooks with their organization, secrets and deliveries with their webhook, and a
project with workers stays.
"""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from spunto.adapters.sql.types import ID, JSON_MAP, Instant

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, nullable=False, index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("last_seen_at", Instant, nullable=False),
    # None for one that ends by age alone.
    Column("idle_seconds", BigInteger),
    Column("revoked_at", Instant),
)

sign_in_codes = Table(
    "sign_in_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    # None for a key of the organization.
    Column("user_id", ID),
    Column("created_by", ID, nullable=False),
    Column("kid", ID, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", JSON_MAP, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
    Index(None, "org_id", "id"),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("user_id", ID, nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("issuer", "subject"),
)

device_codes = Table(
    "device_codes",
    metadata,
    Column("device_hash", LargeBinary, primary_key=True),
    Column("user_code_hash", LargeBinary, nullable=False, unique=True),
    Column("client_name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("interval_seconds", BigInteger, nullable=False),
    Column("polled_at", Instant),
    Column("state", Text, nullable=False),
    Column("user_id", ID),
)

organizations = Table(
    "organizations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("slug", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("dotfiles_repo", Text),
)

ssh_keys = Table(
    "ssh_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("user_id", "fingerprint"),
)

user_secrets = Table(
    "user_secrets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("user_id", "name"),
    Index(None, "user_id", "id"),
    Index(None, "key_id", "id"),
)

canaries = Table(
    "canaries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("org_id", ID, nullable=False),
    Column("user_id", ID, nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("joined_at", Instant, nullable=False),
    PrimaryKeyConstraint("org_id", "user_id"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("email", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("invited_by", ID, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("mail_token_hash", LargeBinary, unique=True),
    Column("mail", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("org_id", "email"),
    Index(None, "org_id", "id"),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("credential_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("detail", JSON_MAP, nullable=False),
    Column("outcome", Text, nullable=False, server_default="allowed"),
    Index(None, "org_id", "id"),
)

event_feeds = Table(
    "event_feeds",
    metadata,
    Column("org_id", ID, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("org_id", ID, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("id", ID, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("data", JSON_MAP, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("request_id", Text, nullable=False),
    PrimaryKeyConstraint("org_id", "sequence"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("org_id", ID, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    # None for all of them.
    Column("events", JSON_MAP),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("read_to", BigInteger, nullable=False),
    Column("failing_since", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index(None, "org_id", "id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook_id", ID, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("org_id", ID, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Index(None, "key_id", "id"),
    Index(None, "webhook_id", "id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook_id", ID, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", ID, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("response_status", BigInteger),
    Column("failure", Text),
    Column("duration_ms", BigInteger),
    Column("created_at", Instant, nullable=False, index=True),
    Column("last_attempt_at", Instant),
    Column("next_attempt_at", Instant),
    Column("version", BigInteger, nullable=False),
    Index(None, "webhook_id", "id"),
    Index(None, "webhook_id", "next_attempt_at"),
)

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
    Column("agent", JSON_MAP),
    Column("version", BigInteger, nullable=False),
    # What `scheduling.placement` says of the node, kept for choosing by index: its obstacle to a demand of nothing, and
    # the share in its load key.
    Column("accepting", Boolean, nullable=False),
    Column("load", Double),
    UniqueConstraint("org_id", "name"),
    Index(None, "org_id", "id"),
    Index(None, "org_id", "accepting", "load", "assignments", "id"),
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
    Index(None, "node_id", "subject_id"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("node_id", ID, ForeignKey("nodes.id", ondelete="CASCADE"), nullable=False),
    Column("subject_id", ID, nullable=False),
    Column("buried_at", Instant, nullable=False),
    PrimaryKeyConstraint("node_id", "subject_id"),
)

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
    PrimaryKeyConstraint("project_id", "number"),
)

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
    UniqueConstraint("project_id", "name"),
    Index(None, "org_id", "project_id", "id"),
)

due_subjects = Table(
    "due_subjects",
    metadata,
    Column("kind", Text, nullable=False),
    Column("subject_id", ID, nullable=False),
    # Of a claimed one the end of its lease; what was asked for during the claim waits in `again_at`.
    Column("due_at", Instant, nullable=False),
    Column("again_at", Instant),
    Column("lease_token", Text),
    Column("attempts", BigInteger, nullable=False),
    Column("last_error", Text),
    PrimaryKeyConstraint("kind", "subject_id"),
    Index(None, "kind", "due_at"),
)

remembered_requests = Table(
    "remembered_requests",
    metadata,
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("made_at", Instant, nullable=False, index=True),
    PrimaryKeyConstraint("scope", "key"),
)

timelines = Table("timelines", metadata, Column("id", Text, primary_key=True))

CONFLICTS: Mapping[str, tuple[str, str]] = {
    "uq_organizations_slug": ("slug_taken", "The slug is taken; choose another one."),
    "uq_users_email": ("email_taken", "There is a user with this e-mail address already."),
    "uq_ssh_keys_user_id_fingerprint": ("ssh_key_exists", "You have this SSH key already."),
    "pk_memberships": ("member_already", "This user is a member already."),
    "uq_nodes_org_id_name": ("node_name_taken", "The organization has a node of this name already."),
    "pk_assignments": ("assignment_exists", "This stands on a node already."),
    "uq_projects_org_id_name": ("project_name_taken", "The organization has a project of this name already."),
    "uq_workers_project_id_name": ("worker_name_taken", "The project has a worker of this name already."),
}
"""Code and sentence by constraint; breaking any other one is a lost race."""
