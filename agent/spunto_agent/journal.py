"""The agent's journal on disk: one small SQLite file a node."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from spunto.core.executor.journal import MAX_GRAVES, Entry, Grave, body_of, entry_of
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.ids import bare

_TABLES = (
    "CREATE TABLE IF NOT EXISTS entries (subject_id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS graves"
    " (number INTEGER PRIMARY KEY, subject_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, generation INTEGER NOT NULL)",
)
_BURY = "INSERT OR REPLACE INTO graves (subject_id, kind, generation) VALUES (?, ?, ?)"
_GRAVES = "SELECT subject_id, kind, generation FROM graves ORDER BY number"
_EXHUME = "DELETE FROM graves WHERE number <= (SELECT max(number) FROM graves) - ?"
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
        return [entry for (body,) in rows if (entry := entry_of(body)) is not None]

    def save(self, entries: Sequence[Entry]) -> None:
        rows = [(entry.desired.id, body_of(entry)) for entry in entries]
        with _as_unavailable(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)

    def save_for_good(self, entry: Entry) -> None:
        with _as_unavailable():
            self._connection.execute("PRAGMA synchronous = FULL")
        try:
            self.save([entry])
        finally:
            with _as_unavailable():
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def drop(self, subject_ids: Sequence[str]) -> None:
        with _as_unavailable(), self._connection:
            self._connection.executemany("DELETE FROM entries WHERE subject_id = ?", [(each,) for each in subject_ids])

    def bury(self, graves: Sequence[Grave]) -> None:
        rows = [(grave.id, grave.kind, grave.generation) for grave in graves]
        with _as_unavailable(), self._connection:
            self._connection.executemany("DELETE FROM entries WHERE subject_id = ?", [(each[0],) for each in rows])
            self._connection.executemany(_BURY, rows)
            self._connection.execute(_EXHUME, (MAX_GRAVES,))

    def graves(self) -> list[Grave]:
        with _as_unavailable():
            rows = self._connection.execute(
                "SELECT subject_id, kind, generation FROM graves ORDER BY number"
            ).fetchall()
        return [Grave(id=subject_id, kind=kind, generation=generation) for subject_id, kind, generation in rows]

    def close(self) -> None:
        self._connection.close()


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        for table in _TABLES:
            connection.execute(table)
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
