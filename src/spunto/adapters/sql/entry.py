"""Entry codes and links to ports in SQL."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.routes import entry_codes, port_links
from spunto.adapters.sql.types import IdList, Instant, is_in
from spunto.core.routes.entry import EntryCode, LinkId, PortLink

_ADD_CODE = insert(entry_codes)
_TAKE = (
    delete(entry_codes)
    .where(
        entry_codes.c.code_hash == bindparam("code_hash"), entry_codes.c.expires_at > bindparam("now", type_=Instant)
    )
    .returning(*entry_codes.c)
)
_FORGET_CODES = delete(entry_codes).where(entry_codes.c.expires_at <= bindparam("now", type_=Instant))
_ADD_LINK = insert(port_links)
_OF_SUBJECT = (
    select(port_links)
    .where(
        port_links.c.subject_id == bindparam("subject_id"), port_links.c.expires_at > bindparam("now", type_=Instant)
    )
    .order_by(port_links.c.id.desc())
)
_OF_PORT = _OF_SUBJECT.where(port_links.c.port == bindparam("port"))
_BY_IDS = select(port_links).where(is_in(port_links.c.id, bindparam("ids", type_=IdList)))
_BY_TOKEN = select(port_links).where(port_links.c.token_hash == bindparam("token_hash"))
_REMOVE = delete(port_links).where(port_links.c.id == bindparam("link_id"))
_FORGET_LINKS = delete(port_links).where(port_links.c.expires_at <= bindparam("now", type_=Instant))


class SqlEntryCodeRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, code: EntryCode) -> None:
        await self._statements.change(
            _ADD_CODE,
            {
                "code_hash": code.code_hash,
                "session_id": code.session_id,
                "subject_id": code.subject_id,
                "host": code.host,
                "nonce_hash": code.nonce_hash,
                "expires_at": code.expires_at,
            },
        )

    async def take(self, code_hash: bytes, *, now: datetime) -> EntryCode | None:
        row = await first(self._statements, _TAKE, {"code_hash": code_hash, "now": now})
        await self._statements.change(_FORGET_CODES, {"now": now})
        if row is None:
            return None
        code_hash, session_id, subject_id, host, nonce_hash, expires_at = row
        return EntryCode(
            code_hash=code_hash,
            session_id=session_id,
            subject_id=subject_id,
            host=host,
            nonce_hash=nonce_hash,
            expires_at=expires_at,
        )


class SqlPortLinkRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, link: PortLink) -> None:
        """Also forgets those that have ended, so that they don't pile up."""
        await self._statements.change(_FORGET_LINKS, {"now": link.created_at})
        await self._statements.change(
            _ADD_LINK,
            {
                "id": link.id,
                "org_id": link.org_id,
                "subject_id": link.subject_id,
                "port": link.port,
                "token_hash": link.token_hash,
                "made_by": link.made_by,
                "created_at": link.created_at,
                "expires_at": link.expires_at,
            },
        )

    async def of_port(self, subject_id: str, port: int, *, now: datetime) -> Sequence[PortLink]:
        rows = await self._statements.all(_OF_PORT, {"subject_id": subject_id, "port": port, "now": now})
        return [_link(row) for row in rows]

    async def of_subject(self, subject_id: str, *, now: datetime) -> Sequence[PortLink]:
        rows = await self._statements.all(_OF_SUBJECT, {"subject_id": subject_id, "now": now})
        return [_link(row) for row in rows]

    async def find_all(self, link_ids: Collection[LinkId]) -> Sequence[PortLink]:
        return [_link(row) for row in await self._statements.all(_BY_IDS, {"ids": list(link_ids)})]

    async def find_by_token(self, token_hash: bytes) -> PortLink | None:
        row = await first(self._statements, _BY_TOKEN, {"token_hash": token_hash})
        return None if row is None else _link(row)

    async def remove(self, link_id: LinkId) -> bool:
        return await self._statements.change(_REMOVE, {"link_id": link_id}) == 1


def _link(row: AnyRow) -> PortLink:
    link_id, org_id, subject_id, port, token_hash, made_by, created_at, expires_at = row
    return PortLink(
        id=link_id,
        org_id=org_id,
        subject_id=subject_id,
        port=port,
        token_hash=token_hash,
        made_by=made_by,
        created_at=created_at,
        expires_at=expires_at,
    )
