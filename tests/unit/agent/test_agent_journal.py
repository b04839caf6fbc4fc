"""The journal on disk keeps the journal's contract, and outlives what can happen to a file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spunto.core.kernel.errors import Unavailable
from spunto.testing.contracts.node_journal import JournalContract, OpenJournal, an_entry
from spunto_agent.journal import SqliteJournal

NODE = "nod_00000000000000000000000000"


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    def open_journal(self, tmp_path: Path) -> Iterator[OpenJournal]:
        opened: list[SqliteJournal] = []

        def open_again() -> SqliteJournal:
            opened.append(SqliteJournal.of_node(tmp_path, NODE))
            return opened[-1]

        yield open_again
        for journal in opened:
            journal.close()


def test_only_the_agent_s_user_may_read_it(tmp_path: Path) -> None:
    with closing(SqliteJournal.of_node(tmp_path / "data", NODE)):
        (file,) = (tmp_path / "data").glob("*.db")

        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_another_node_s_journal_is_another_file(tmp_path: Path) -> None:
    with closing(SqliteJournal.of_node(tmp_path, NODE)) as one:
        one.save([an_entry()])
        with closing(SqliteJournal.of_node(tmp_path, "nod_00000000000000000000000001")) as other:
            assert other.load() == []


def test_a_broken_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database at all" * 100)

    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        journal.save([an_entry()])
        assert journal.load() == [an_entry()]
    assert (tmp_path / "journal.broken").exists()


def test_an_entry_of_another_version_is_left_out(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        journal.save([an_entry(1), an_entry(2)])
        with closing(sqlite3.connect(tmp_path / "journal.db")) as other, other:
            other.execute("UPDATE entries SET body = '{}' WHERE subject_id = ?", (an_entry(1).desired.id,))

        assert journal.load() == [an_entry(2)]


def test_a_place_that_can_not_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Unavailable, match="journal"):
        SqliteJournal.of_node(tmp_path / "file", NODE)
