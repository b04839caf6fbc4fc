"""The event feed in SQL."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select, tuple_, union_all
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.activity import event_feeds as feeds
from spunto.adapters.sql.tables.activity import events
from spunto.adapters.sql.types import ID, Instant
from spunto.core.access.model import OrgId
from spunto.core.activity.events import ANY_TOPIC, Event, EventType, topic


def _newest(org_id: Any) -> Any:
    """The highest number that an organization's events have or had; None where there was none."""
    of_events = select(func.max(events.c.sequence).label("last")).where(events.c.org_id == org_id)
    both = union_all(of_events, select(feeds.c.last).where(feeds.c.org_id == org_id)).subquery()
    return select(func.max(both.c.last))


def _adding(sequence: Any) -> Any:
    written = {column: bindparam(f"new_{column.name}", type_=column.type) for column in events.c}
    written[events.c.sequence] = sequence
    return insert(events).from_select(list(written), select(*written.values()), include_defaults=False)


_new_org_id = bindparam("new_org_id", type_=ID)
# In the one statement that writes the event, it locks the organization's row until the commit, so that numbers become
# visible in their order.
_COUNTED = (
    postgresql.insert(feeds)
    .values(org_id=_new_org_id, last=1)
    .on_conflict_do_update(index_elements=["org_id"], set_={"last": feeds.c.last + 1})
    .returning(feeds.c.last)
    .cte("counted")
)
_ADD = {
    # SQLite can't change two tables by one statement, and has one writer at a time.
    "sqlite": _adding(func.coalesce(_newest(_new_org_id).scalar_subquery(), 0) + 1),
    "postgresql": _adding(_COUNTED.c.last),
}
_LAST = _newest(bindparam("org_id", type_=ID))
_limit = bindparam("limit", type_=BigInteger)
_AFTER = (
    select(events)
    .where(events.c.org_id == bindparam("org_id"), events.c.sequence > bindparam("after", type_=BigInteger))
    .order_by(events.c.sequence)
    .limit(_limit)
)
_before = bindparam("before", type_=Instant)
_key = tuple_(events.c.org_id, events.c.sequence)
_PRUNE = delete(events).where(
    _key.in_(
        select(events.c.org_id, events.c.sequence).where(events.c.at < _before).order_by(events.c.at).limit(_limit)
    )
)


def _counting_old(insert_into_feeds: Any) -> Any:
    old = select(events.c.org_id, func.max(events.c.sequence)).where(events.c.at < _before).group_by(events.c.org_id)
    noting = insert_into_feeds(feeds).from_select(["org_id", "last"], old)
    last = noting.excluded.last
    return noting.on_conflict_do_update(index_elements=["org_id"], set_={"last": last}, where=feeds.c.last < last)


# Otherwise numbers would come again that only forgotten events had.
_COUNT_OLD = {"sqlite": _counting_old(sqlite.insert), "postgresql": _counting_old(postgresql.insert)}


class SqlEventFeed:
    def __init__(self, statements: Statements, hint: Callable[[str], None]) -> None:
        self._statements = statements
        self._hint = hint
        self._added: list[Event] = []

    async def add(self, event: Event) -> None:
        self._added.append(event)
        self._hint(topic(event.org_id))
        self._hint(ANY_TOPIC)

    async def last(self, org_id: OrgId) -> int:
        row = await first(self._statements, _LAST, {"org_id": org_id})
        return 0 if row is None or row[0] is None else int(row[0])

    async def after(self, org_id: OrgId, sequence: int, *, limit: int) -> Sequence[Event]:
        rows = await self._statements.all(_AFTER, {"org_id": org_id, "after": sequence, "limit": limit})
        return [_event(row) for row in rows]

    async def prune(self, *, before: datetime, limit: int) -> int:
        await self._statements.change(_COUNT_OLD[self._statements.dialect], {"before": before})
        return await self._statements.change(_PRUNE, {"before": before, "limit": limit})

    async def flush(self) -> None:
        """Number and write what was added. The last thing before the commit, because of the lock; and in one order of
        organizations, so that two transactions don't wait for each other."""
        added, self._added = sorted(self._added, key=lambda event: event.org_id), []
        for event in added:
            await self._statements.change(_ADD[self._statements.dialect], _row(event))


def _row(event: Event) -> dict[str, Any]:
    """All but the number."""
    return {
        "new_org_id": event.org_id,
        "new_id": event.id,
        "new_type": event.type.value,
        "new_subject_id": event.subject_id,
        "new_data": dict(event.data),
        "new_at": event.at,
        "new_request_id": event.request_id,
    }


def _event(row: AnyRow) -> Event:
    org_id, sequence, event_id, kind, subject_id, data, at, request_id = row
    return Event(
        id=event_id,
        sequence=sequence,
        org_id=org_id,
        type=EventType(kind),
        subject_id=subject_id,
        data=data,
        at=at,
        request_id=request_id,
    )
