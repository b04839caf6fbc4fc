"""The event feed in SQL."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.activity import event_feeds as feeds
from spunto.adapters.sql.tables.activity import events
from spunto.adapters.sql.types import Instant
from spunto.core.access.model import OrgId
from spunto.core.activity.events import ANY_TOPIC, Event, EventType, topic


def _counting(insert: Any) -> Any:
    counting = insert(feeds)
    return counting.on_conflict_do_update(
        index_elements=["org_id"], set_={"last": feeds.c.last + counting.excluded.last}
    ).returning(feeds.c.last)


# Locks the organization's row until the commit, so that numbers become visible in their order.
_COUNT = {"sqlite": _counting(sqlite.insert), "postgresql": _counting(postgresql.insert)}
_ADD = insert(events)
_LAST = select(feeds.c.last).where(feeds.c.org_id == bindparam("org_id"))
_limit = bindparam("limit", type_=BigInteger)
_AFTER = (
    select(events)
    .where(events.c.org_id == bindparam("org_id"), events.c.sequence > bindparam("after", type_=BigInteger))
    .order_by(events.c.sequence)
    .limit(_limit)
)
_key = tuple_(events.c.org_id, events.c.sequence)
_PRUNE = delete(events).where(
    _key.in_(
        select(events.c.org_id, events.c.sequence)
        .where(events.c.at < bindparam("before", type_=Instant))
        .order_by(events.c.at)
        .limit(_limit)
    )
)


class SqlEventFeed:
    def __init__(self, statements: Statements, hint: Callable[[str], None]) -> None:
        self._statements = statements
        self._hint = hint
        self._added: dict[OrgId, list[Event]] = defaultdict(list)

    async def add(self, event: Event) -> None:
        self._added[event.org_id].append(event)
        self._hint(topic(event.org_id))
        self._hint(ANY_TOPIC)

    async def last(self, org_id: OrgId) -> int:
        row = await first(self._statements, _LAST, {"org_id": org_id})
        return 0 if row is None else int(row[0])

    async def after(self, org_id: OrgId, sequence: int, *, limit: int) -> Sequence[Event]:
        rows = await self._statements.all(_AFTER, {"org_id": org_id, "after": sequence, "limit": limit})
        return [_event(row) for row in rows]

    async def prune(self, *, before: datetime, limit: int) -> int:
        return await self._statements.change(_PRUNE, {"before": before, "limit": limit})

    async def flush(self) -> None:
        """Number and write what was added. The last thing before the commit, because of the lock; and in one order of
        organizations, so that two transactions don't wait for each other."""
        added = sorted(self._added.items())
        self._added = defaultdict(list)
        for org_id, own in added:
            counted = await self._statements.all(_COUNT[self._statements.dialect], {"org_id": org_id, "last": len(own)})
            begin = counted[0][0] - len(own) + 1
            await self._statements.change(_ADD, [_row(event, begin + place) for place, event in enumerate(own)])


def _row(event: Event, sequence: int) -> dict[str, Any]:
    return {
        "org_id": event.org_id,
        "sequence": sequence,
        "id": event.id,
        "type": event.type.value,
        "subject_id": event.subject_id,
        "data": dict(event.data),
        "at": event.at,
        "request_id": event.request_id,
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
