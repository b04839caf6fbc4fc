"""Invitations, and what belongs to a changing organization."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
