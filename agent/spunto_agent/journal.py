"""The agent's journal on disk: one small SQLite file a node."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from spunto.core.executor.journal import Entry
from spunto.core.executor.ledger import ledger_from_json, ledger_to_json
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.ids import bare
from spunto.core.protocol.messages import AssignmentKind, DesiredItem, Wanted

_TABLE = "CREATE TABLE IF NOT EXISTS entries (subject_id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID"
_BUSY_SECONDS = 2.0


class SqliteJournal:
    """Commits outlive the process, not a power cut: they are not forced to the disk, since a spawn waits for them."""

    def __init__(self, path: Path) -> None:
        """Open or make it. A file that is broken is set aside, for containers are adopted without it as well."""
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._connection = _open(path)
        except sqlite3.DatabaseError:
            path.replace(path.with_suffix(".broken"))
            self._connection = _open(path)

    @classmethod
    def of_node(cls, data_dir: Path, node_id: str) -> "SqliteJournal":
        """Raises Unavailable `journal_unavailable` where the directory can't be used."""
        with _as_unavailable():
            return cls(data_dir / f"journal-{bare(node_id)}.db")

    def load(self) -> list[Entry]:
        with _as_unavailable():
            rows = self._connection.execute("SELECT body FROM entries ORDER BY subject_id").fetchall()
        return [entry for (body,) in rows if (entry := _read(body)) is not None]

    def save(self, entries: Sequence[Entry]) -> None:
        rows = [(entry.desired.id, orjson.dumps(_written(entry))) for entry in entries]
        with _as_unavailable(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)

    def drop(self, subject_ids: Sequence[str]) -> None:
        with _as_unavailable(), self._connection:
            self._connection.executemany("DELETE FROM entries WHERE subject_id = ?", [(each,) for each in subject_ids])

    def close(self) -> None:
        self._connection.close()


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_TABLE)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise Unavailable("journal_unavailable", f"The agent's journal can't be used: {error}") from error


def _written(entry: Entry) -> dict[str, Any]:
    desired = entry.desired
    return {
        "kind": desired.kind.value,
        "id": desired.id,
        "generation": desired.generation,
        "wanted": desired.wanted.value,
        "spec": desired.spec,
        "cause": desired.cause,
        "ledger": ledger_to_json(entry.ledger),
    }


def _read(body: bytes) -> Entry | None:
    """Nothing for an entry of another version of the agent: its subject is found again by its labels."""
    try:
        values = orjson.loads(body)
        desired = DesiredItem(
            kind=AssignmentKind(values["kind"]),
            id=values["id"],
            generation=values["generation"],
            wanted=Wanted(values["wanted"]),
            spec=values["spec"],
            cause=values.get("cause", ""),
        )
        return Entry(desired=desired, ledger=ledger_from_json(values["ledger"]))
    except (KeyError, TypeError, ValueError):
        return None
