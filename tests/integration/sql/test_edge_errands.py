"""`spunto edge create | list | remove`, on the database alone."""

import asyncio
from pathlib import Path

import pytest

from spunto.adapters.crypto.keyring import KeyringFile
from spunto.adapters.sql.migrate import upgrade
from spunto.core.kernel.secret import Secret
from spunto.core.specs.token import edge_of_token
from spunto.entrypoints import edges
from spunto.entrypoints.serving.databases import sqlite_url


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SPUNTO_DATA_DIR", str(tmp_path))
    KeyringFile(tmp_path / "keyring").make()
    url = sqlite_url(tmp_path / "spunto.db")
    asyncio.run(upgrade(url))
    return url


def test_an_edge_is_registered_listed_and_removed(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert edges.create("front") == 0
    token = capsys.readouterr().out.strip()
    assert edges.list_all() == 0
    listed = capsys.readouterr().out
    assert edges.remove("front", database) == 0
    assert edges.list_all(database) == 0

    assert listed.split() == [edge_of_token(Secret(token)), "front", "away", "last", "seen", "never"]
    assert capsys.readouterr().out == "Removed the edge front.\n"


def test_what_is_wrong_is_one_line_and_an_exit_code(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert edges.create("front", database) == 0
    capsys.readouterr()

    codes = [edges.create("front"), edges.create("a/b"), edges.remove("back")]

    said = capsys.readouterr().err.splitlines()
    assert all(codes)
    assert [line.partition(": ")[2].partition(" (")[0] for line in said] == [
        "There is an edge of this name already.",
        "The name must not contain '/', which parts names in commands and addresses.",
        "There is no edge 'back'.",
    ]
