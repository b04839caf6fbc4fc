"""Hints between server processes on one Postgres, by LISTEN and NOTIFY on a connection of their own.

A commit that notifies takes a lock of the whole cluster's, so nothing is told inside of the writing transactions: what
they hint is collected, and told at most each 30 ms, as one word for all. A lost hint costs the poll interval, nothing
else; so a connection that breaks is made again, and then everybody looks at everything.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from spunto.adapters.sql.errors import DRIVER_ERRORS
from spunto.adapters.sql.urls import is_sqlite, parsed
from spunto.core.kernel.backoff import BackOff
from spunto.core.kernel.wakeups import Wakeups

CHANNEL: Final = "spunto_hints"
ALL: Final = "*"
# Postgres takes less than 8,000.
MAX_PAYLOAD_BYTES: Final = 7_900
_MAX_TOPICS: Final = 4_096
_GAP_SECONDS: Final = 0.03
_AT_ONCE: Final = 50
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 5.0
# A connection that says nothing may be none any more.
_PROBE_SECONDS: Final = 15.0
_AGAIN: Final = BackOff(base_seconds=0.2, cap_seconds=5.0)


def hints_between_processes(url: str, wakeups: Wakeups) -> "PostgresHints | None":
    """What passes hints on and hears those of the other processes, while it runs. On SQLite there are no others."""
    database = parsed(url)
    if is_sqlite(database):
        return None
    hints = PostgresHints(database, wakeups)
    wakeups.pass_on = hints.tell
    return hints


class PostgresHints:
    def __init__(self, url: URL, wakeups: Wakeups) -> None:
        self._url = url
        self._wakeups = wakeups
        self._own = secrets.token_hex(4)
        self._topics: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._all_heard = True

    def tell(self, topic: str) -> None:
        """Have the other processes hear it, soon; never waits."""
        if len(self._topics) >= _MAX_TOPICS:
            self._topics = {ALL: None}
        self._topics[topic] = None
        self._changed.set()

    async def run(self) -> None:
        """Listen and tell until cancelled; what goes wrong is tried again."""
        failures = 0
        while True:
            try:
                async with self._listening() as connection:
                    failures = 0
                    await self._hear_all()
                    await self._tell_along(connection)
            except (*DRIVER_ERRORS, TimeoutError):
                await asyncio.sleep(_AGAIN.seconds(failures))
                failures += 1

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[Any]:
        """A connection on which hints are heard. It ends the block that waits on it, when it breaks."""
        # `application_name` tells it from the pool's, for whoever looks into pg_stat_activity.
        _, arguments = PGDialect_asyncpg().create_connect_args(self._url)  # type: ignore[no-untyped-call]
        connection = await asyncpg.connect(
            **arguments, timeout=_CONNECT_SECONDS, server_settings={"application_name": "spunto-hints"}
        )
        try:
            connection.add_termination_listener(lambda _: self._changed.set())
            await connection.add_listener(CHANNEL, self._hear)
            yield connection
        finally:
            connection.terminate()

    async def _tell_along(self, connection: Any) -> None:
        while True:
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                await connection.fetchval("SELECT 1", timeout=_ANSWER_SECONDS)
                continue
            self._changed.clear()
            if not self._all_heard:
                await self._hear_all()
            topics, self._topics = list(self._topics), {}
            for payload in payloads(self._own, topics):
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload, timeout=_ANSWER_SECONDS)
            if not topics and connection.is_closed():
                raise ConnectionResetError
            await asyncio.sleep(_GAP_SECONDS)

    async def _hear_all(self) -> None:
        """Whatever was hinted while nobody listened. Thousands of nodes must not ask the database all at once."""
        self._all_heard = True
        for number, topic in enumerate(self._wakeups.topics()):
            self._wakeups.heard(topic)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(_GAP_SECONDS)

    def _hear(self, _: object, __: int, ___: str, payload: object) -> None:
        sender, *topics = str(payload).split("\n")
        if sender == self._own:
            return
        for topic in topics:
            if topic == ALL:
                self._all_heard = False
                self._changed.set()
            else:
                self._wakeups.heard(topic)


def payloads(sender: str, topics: Sequence[str]) -> Iterator[str]:
    """The topics in words that Postgres carries: a line each, behind the sender's."""
    lines, size = [sender], len(sender)
    for topic in topics:
        more = 1 + len(topic.encode())
        if size + more > MAX_PAYLOAD_BYTES and len(lines) > 1:
            yield "\n".join(lines)
            lines, size = [sender], len(sender)
        lines.append(topic)
        size += more
    if len(lines) > 1:
        yield "\n".join(lines)
