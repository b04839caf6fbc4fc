"""Hints cross from one process to the others on a Postgres, and survive what happens to their connection."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from spunto.adapters.sql.hints import MAX_PAYLOAD_BYTES, hints_between_processes, payloads
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.wakeups import Wakeups

SECONDS = 10.0
TOPICS = st.lists(st.text(alphabet="abc:_", min_size=1, max_size=300), unique=True, max_size=200)


class Process:
    """Hears everything that is hinted about the topics."""

    def __init__(self, *topics: str) -> None:
        self.wakeups = Wakeups(SystemClock())
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        for topic in topics:
            self.wakeups.listen(topic, lambda topic=topic: self.heard.put_nowait(topic))  # type: ignore[misc]  # bound

    async def next(self) -> str:
        async with asyncio.timeout(SECONDS):
            return await self.heard.get()


@pytest.fixture
async def pair(postgres_database: str) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes that listen already."""
    here, there = Process("a", "b", "ready"), Process("a", "b", "ready")
    async with asyncio.TaskGroup() as group:
        running: list[asyncio.Task[None]] = []
        for process in (here, there):
            hints = hints_between_processes(postgres_database, process.wakeups)
            assert hints is not None
            running.append(group.create_task(hints.run()))
            await everything_heard(process)
        yield here, there
        for task in running:
            task.cancel()


@pytest.mark.postgres
async def test_a_hint_is_heard_in_the_other_process_and_once_here(pair: tuple[Process, Process]) -> None:
    here, there = pair

    here.wakeups.hint("a")
    here.wakeups.hint("unknown")
    assert await here.next() == "a"
    assert await there.next() == "a"

    # In the order of the connection: had the first one come back, it would be heard before this one.
    there.wakeups.hint("b")
    assert await here.next() == "b"


@pytest.mark.postgres
async def test_a_burst_is_told_as_one(pair: tuple[Process, Process]) -> None:
    here, there = pair

    for _ in range(1000):
        here.wakeups.hint("a")
    here.wakeups.hint("b")

    heard = [await there.next()]
    while heard[-1] != "b":
        heard.append(await there.next())
    assert heard.count("a") <= 2


@pytest.mark.postgres
async def test_after_a_broken_connection_everybody_looks_at_everything(
    pair: tuple[Process, Process], postgres_database: str
) -> None:
    here, there = pair

    await cut(postgres_database)

    for process in pair:
        await everything_heard(process)
    here.wakeups.hint("a")
    while await there.next() != "a":
        pass


@pytest.mark.postgres
async def test_a_flood_of_topics_while_nobody_listens_is_told_as_everything(pair: tuple[Process, Process]) -> None:
    here, there = pair

    for number in range(5000):
        here.wakeups.hint(f"topic {number}")

    assert {await there.next() for _ in range(3)} == {"a", "b", "ready"}


@given(TOPICS)
def test_every_topic_travels_in_words_that_the_database_carries(topics: list[str]) -> None:
    told = list(payloads("me", topics))

    assert [topic for payload in told for topic in payload.split("\n")[1:]] == topics
    assert all(len(payload.encode()) <= MAX_PAYLOAD_BYTES for payload in told)
    assert all(payload.startswith("me\n") for payload in told)


async def everything_heard(process: Process) -> None:
    assert {await process.next() for _ in range(3)} == {"a", "b", "ready"}


async def cut(url: str) -> None:
    """End the listening connections, and only those."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    ended = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'spunto-hints' AND datname = current_database()"
    )
    await connection.close()
    assert len(ended) == 2
