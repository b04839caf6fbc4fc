"""Rows that carry a version: what every repository of such rows does with them, made once from its columns."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Table, bindparam, delete, insert, select, update

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.core.access.model import Tenant
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest


class _Row(Protocol):
    """A frozen dataclass of the core."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


Item = TypeVar("Item", bound=_Row)


class Versioned(Generic[Item]):
    """The rows of one table by `id`; `read` makes an item of a whole row, and `write` a value for each column.

    `kind` names an item in what is raised. An update leaves `id`, `created_at` and what is `fixed` as they are.
    """

    def __init__(
        self,
        table: Table,
        *,
        kind: str,
        read: Callable[[AnyRow], Item],
        write: Callable[[Item], dict[str, Any]],
        fixed: Collection[str] = (),
    ) -> None:
        is_it = table.c.id == bindparam("of_id")
        is_current = is_it & (table.c.version == bindparam("of_version"))
        self._kind = kind
        self._read = read
        self._write = write
        self._fixed = {"id", "created_at", *fixed}
        self._add = insert(table)
        self._find = select(table).where(is_it)
        self._update = update(table).where(is_current)
        self._remove = delete(table).where(is_current)
        if "org_id" in table.c:
            is_of_org = table.c.org_id == bindparam("of_org")
            self._get = self._find.where(is_of_org)
            self._list = paged(select(table).where(is_of_org), table.c.id)

    async def add(self, statements: Statements, item: Item) -> None:
        await statements.change(self._add, self._write(item))

    async def find(self, statements: Statements, item_id: str) -> Item | None:
        row = await first(statements, self._find, {"of_id": item_id})
        return None if row is None else self._read(row)

    async def get(self, statements: Statements, tenant: Tenant, item_id: str) -> Item:
        """Raises NotFound `…_not_found`, also for another organization's."""
        row = await first(statements, self._get, {"of_id": item_id, "of_org": tenant.org_id})
        if row is None:
            raise self.not_found(item_id)
        return self._read(row)

    async def list(self, statements: Statements, tenant: Tenant, page: PageRequest) -> Page[Item]:
        """The organization's, the newest first."""
        rows = await statements.all(self._list, {"of_org": tenant.org_id, **window(page)})
        return page_of(rows, page.limit, item_of=self._read, key_of=lambda item: item.id)

    async def update(self, statements: Statements, item: Item) -> Item:
        """Write the item as its next version. Raises StaleVersion where it is not the newest one any more."""
        after: Item = replace(item, version=item.version + 1)  # type: ignore[type-var]  # items are dataclasses
        values = {name: value for name, value in self._write(after).items() if name not in self._fixed}
        await self._change_current(statements, self._update, item, values)
        return after

    async def remove(self, statements: Statements, item: Item) -> None:
        """Raises StaleVersion as `update` does."""
        await self._change_current(statements, self._remove, item, {})

    def not_found(self, item_id: str) -> NotFound:
        return NotFound(f"{self._kind}_not_found", f"There is no {self._kind} {item_id!r}.", id=item_id)

    async def _change_current(self, statements: Statements, statement: Any, item: Item, values: dict[str, Any]) -> None:
        which = {"of_id": item.id, "of_version": item.version}
        if await statements.change(statement, {**which, **values}) == 0:
            raise StaleVersion(self._kind, item.id)
