"""What was read from an SQLite file is given again only as long as nobody has committed anything."""

import sqlite3
from pathlib import Path

import pytest

from spunto.adapters.sql.sqlite_statements import Reader
from spunto.adapters.sql.written import Written

ALL = Written(sql="SELECT name FROM things ORDER BY name", binds=(), fixed={}, columns=(), kept=True)


@pytest.fixture
def writer(tmp_path: Path) -> sqlite3.Connection:
    """Another connection, as another process would have one."""
    connection = sqlite3.connect(tmp_path / "file.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE things (name TEXT)")
    connection.execute("INSERT INTO things VALUES ('a')")
    return connection


@pytest.fixture
def reader(tmp_path: Path, writer: sqlite3.Connection) -> Reader:
    return Reader(sqlite3.connect(tmp_path / "file.db", isolation_level=None))


def test_as_long_as_nothing_is_committed_the_answer_is_the_same_object(
    reader: Reader, writer: sqlite3.Connection
) -> None:
    first = reader.read(ALL, ())
    writer.execute("BEGIN")
    writer.execute("INSERT INTO things VALUES ('b')")
    before_the_commit = reader.read(ALL, ())
    writer.execute("ROLLBACK")

    assert first == [("a",)]
    assert before_the_commit is first
    assert reader.read(ALL, ()) is first


def test_each_commit_is_seen_by_the_next_reading(reader: Reader, writer: sqlite3.Connection) -> None:
    seen = [reader.read(ALL, ())]
    for name in ("b", "c"):
        writer.execute("INSERT INTO things VALUES (?)", (name,))
        seen.append(reader.read(ALL, ()))
    writer.execute("DELETE FROM things")
    seen.append(reader.read(ALL, ()))

    assert seen == [[("a",)], [("a",), ("b",)], [("a",), ("b",), ("c",)], []]


def test_a_commit_of_another_table_forgets_too_and_shows_the_same(reader: Reader, writer: sqlite3.Connection) -> None:
    first = reader.read(ALL, ())
    writer.execute("CREATE TABLE others (name TEXT)")

    again = reader.read(ALL, ())

    assert again == first
    assert again is not first


def test_other_arguments_are_another_question(reader: Reader) -> None:
    one = Written(sql="SELECT ?", binds=(), fixed={}, columns=(), kept=True)

    assert [reader.read(one, (asked,)) for asked in ("x", "y", "x")] == [[("x",)], [("y",)], [("x",)]]


def test_what_is_not_to_be_kept_is_read_anew(reader: Reader) -> None:
    once = Written(sql=ALL.sql, binds=(), fixed={}, columns=(), kept=False)

    assert reader.read(once, ()) is not reader.read(once, ())
