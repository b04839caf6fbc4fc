"""The first tables."""

import secrets

import sqlalchemy as sa
from alembic import op

from spunto.adapters.sql.types import ID, JSON_MAP, Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", ID, nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("detail", JSON_MAP, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_org_id_id"), "audit_entries", ["org_id", "id"], unique=False)
    op.create_table(
        "due_subjects",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("again_at", Instant, nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject_id", name=op.f("pk_due_subjects")),
    )
    op.create_index(op.f("ix_due_subjects_kind_due_at"), "due_subjects", ["kind", "due_at"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("joined_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "nodes",
        sa.Column("id", ID, nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", JSON_MAP, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("cpu_millis", sa.BigInteger(), nullable=True),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("max_worker_cpu_millis", sa.BigInteger(), nullable=True),
        sa.Column("reserved_cpu_millis", sa.BigInteger(), nullable=False),
        sa.Column("reserved_memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("assignments", sa.BigInteger(), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False),
        sa.Column("quarantine", JSON_MAP, nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("connection_changed_at", Instant, nullable=True),
        sa.Column("agent", JSON_MAP, nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("accepting", sa.Boolean(), nullable=False),
        sa.Column("load", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
        sa.UniqueConstraint("org_id", "name", name=op.f("uq_nodes_org_id_name")),
    )
    op.create_index(
        op.f("ix_nodes_org_id_accepting_load_assignments_id"),
        "nodes",
        ["org_id", "accepting", "load", "assignments", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_nodes_org_id_id"), "nodes", ["org_id", "id"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("slug", name=op.f("uq_organizations_slug")),
    )
    op.create_table(
        "projects",
        sa.Column("id", ID, nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("environment", JSON_MAP, nullable=False),
        sa.Column("workers_made", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("org_id", "name", name=op.f("uq_projects_org_id_name")),
    )
    op.create_index(op.f("ix_projects_org_id_id"), "projects", ["org_id", "id"], unique=False)
    op.create_table(
        "remembered_requests",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_remembered_requests")),
    )
    op.create_index(op.f("ix_remembered_requests_made_at"), "remembered_requests", ["made_at"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("revoked_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_table(
        "sign_in_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_sign_in_codes")),
    )
    op.create_table(
        "timelines",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timelines")),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "assignments",
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("spec", JSON_MAP, nullable=False),
        sa.Column("cpu_millis", sa.BigInteger(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserves", sa.Boolean(), nullable=False),
        sa.Column("observed", JSON_MAP, nullable=True),
        sa.Column("wanted_since", Instant, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_assignments_node_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_node_id_subject_id"), "assignments", ["node_id", "subject_id"], unique=False)
    op.create_table(
        "project_versions",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("environment", JSON_MAP, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("restored_from", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_project_versions_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "number", name=op.f("pk_project_versions")),
    )
    op.create_table(
        "tombstones",
        sa.Column("node_id", ID, nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("buried_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_tombstones_node_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("node_id", "subject_id", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "workers",
        sa.Column("id", ID, nullable=False),
        sa.Column("org_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("project_version", sa.BigInteger(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("api_key_id", ID, nullable=True),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", Instant, nullable=False),
        sa.Column("deadline_at", Instant, nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("container_id", sa.Text(), nullable=True),
        sa.Column("docker_state", sa.Text(), nullable=False),
        sa.Column("setup", JSON_MAP, nullable=True),
        sa.Column("problem", JSON_MAP, nullable=True),
        sa.Column("last_activity_at", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("stopped_at", Instant, nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_workers_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_workers_project_id_name")),
    )
    op.create_index(op.f("ix_workers_org_id_project_id_id"), "workers", ["org_id", "project_id", "id"], unique=False)
    op.execute(sa.text("INSERT INTO timelines (id) VALUES (:id)").bindparams(id=secrets.token_hex(16)))
