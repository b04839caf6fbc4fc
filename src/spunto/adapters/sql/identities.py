"""Whom the issuers of OpenID Connect mean, in SQL."""

from sqlalchemy import bindparam, insert, select

from spunto.adapters.sql.statements import Statements, first
from spunto.adapters.sql.tables.access import identities
from spunto.core.access.model import UserId
from spunto.core.orgs.model import Identity

_FIND = select(identities.c.user_id).where(
    identities.c.issuer == bindparam("issuer"), identities.c.subject == bindparam("subject")
)
_ADD = insert(identities)


class SqlIdentityRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, *, issuer: str, subject: str) -> UserId | None:
        row = await first(self._statements, _FIND, {"issuer": issuer, "subject": subject})
        return None if row is None else UserId(row[0])

    async def add(self, identity: Identity) -> None:
        await self._statements.change(
            _ADD,
            {
                "issuer": identity.issuer,
                "subject": identity.subject,
                "user_id": identity.user_id,
                "created_at": identity.created_at,
            },
        )
