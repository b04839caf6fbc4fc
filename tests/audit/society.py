"""Whether anybody ever sees or does what is not theirs, in a hundred thousand requests in any order."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.audit.figures import Figure, Section
from tests.fixtures.postgres import fresh_database
from tests.fixtures.scripts import answer_of
from tests.integration.authorization.databases import opened
from tests.unit.authorization.machine import OpenHouse, in_memory, run_requests

from spunto.adapters.sql.migrate import upgrade

IN_MEMORY: Final = 100_000
ON_A_DATABASE: Final = 5_000


def audit_society(_: Path) -> Section:
    figures, complaints = _figures("memory", in_memory, IN_MEMORY)
    for name, database in (("SQLite", _sqlite()), ("Postgres", _postgres())):
        with database as url:
            more, wrong = _figures(name, lambda url=url: opened(url), ON_A_DATABASE)  # type: ignore[misc]  # bound now
        figures += more
        complaints += wrong
    return Section(title="Organizations, roles and keys in any order", figures=figures, complaints=complaints)


def _figures(name: str, opening: OpenHouse, count: int) -> tuple[list[Figure], list[str]]:
    began = time.monotonic()
    answered, complaints = Counter[int](), list[str]()
    try:
        answered = run_requests(count, opening)
    except AssertionError as error:
        complaints.append(f"{name}: {error}")
    seconds = time.monotonic() - began
    return [
        Figure(name=f"requests without a foreign mark, {name}", value=answered.total(), at_least=count),
        Figure(name=f"let through, {name}", value=sum(count for status, count in answered.items() if status < 300)),
        Figure(name=f"refused, {name}", value=sum(answered[status] for status in (401, 403, 404))),
        Figure(name=f"requests a second, {name}", value=answered.total() / seconds),
    ], complaints


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'spunto.db'}"
        asyncio.run(upgrade(url))
        yield url


@contextmanager
def _postgres() -> Iterator[str]:
    fresh: Any = fresh_database(answer_of("postgres"))
    with asyncio.Runner() as runner:
        url = runner.run(fresh.__aenter__())
        try:
            runner.run(upgrade(url))
            yield url
        finally:
            runner.run(fresh.__aexit__(None, None, None))
