"""Organizations, their people, and what these keep. Invitations go with their organization."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from spunto.adapters.sql.tables.metadata import Conflicts, metadata
from spunto.adapters.sql.types import ID, Instant

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

CONFLICTS: Conflicts = {
    "uq_organizations_slug": ("slug_taken", "The slug is taken; choose another one."),
    "uq_users_email": ("email_taken", "There is a user with this e-mail address already."),
    "uq_ssh_keys_user_id_fingerprint": ("ssh_key_exists", "You have this SSH key already."),
    "pk_memberships": ("member_already", "This user is a member already."),
}
