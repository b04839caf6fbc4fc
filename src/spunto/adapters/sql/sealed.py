"""Rows with a sealed value, as they are moved from key to key."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic

from sqlalchemy import Table, bindparam, func, select, update

from spunto.adapters.sql.paging import one_more
from spunto.adapters.sql.statements import AnyRow, Statements
from spunto.core.secrets.model import Sealed
from spunto.core.secrets.ports import R


class SealedTable(Generic[R]):
    """The statements over one table; `read` makes an item of a whole row."""

    def __init__(self, table: Table, read: Callable[[AnyRow], R]) -> None:
        c = table.c
        self.read = read
        self.not_under = (
            select(table)
            .where(c.key_id != bindparam("key_id"), c.id > bindparam("after"))
            .order_by(c.id)
            .limit(one_more())
        )
        # Each wrapping is of a key of its own, so another value has another one.
        self.rewrap = (
            update(table)
            .where(
                c.id == bindparam("of_id"),
                c.key_id == bindparam("of_key"),
                c.wrapped_key == bindparam("of_wrapped_key"),
            )
            .values(key_id=bindparam("to_key"), wrapped_key=bindparam("to_wrapped_key"))
        )
        self.count_by_key = select(c.key_id, func.count()).group_by(c.key_id)


class SqlSealedRows(Generic[R]):
    """What repositories of rows with a sealed value have in common."""

    def __init__(self, statements: Statements, table: SealedTable[R]) -> None:
        self._statements = statements
        self._sealed = table

    async def not_under(self, key_id: str, *, after: str, limit: int) -> Sequence[R]:
        asked = {"key_id": key_id, "after": after, "limit": limit}
        return [self._sealed.read(row) for row in await self._statements.all(self._sealed.not_under, asked)]

    async def rewrap(self, rewrapped: Sequence[tuple[R, Sealed]]) -> None:
        await self._statements.change(
            self._sealed.rewrap,
            [
                {
                    "of_id": before.id,
                    "of_key": before.sealed.key_id,
                    "of_wrapped_key": before.sealed.wrapped_key,
                    "to_key": sealed.key_id,
                    "to_wrapped_key": sealed.wrapped_key,
                }
                for before, sealed in rewrapped
            ],
        )

    async def count_by_key(self) -> Mapping[str, int]:
        return {row[0]: row[1] for row in await self._statements.all(self._sealed.count_by_key, {})}


def sealed_columns(sealed: Sealed) -> dict[str, Any]:
    return {"key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key, "ciphertext": sealed.ciphertext}
