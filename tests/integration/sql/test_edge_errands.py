"""`spunto edge create | list | remove`, on the database alone."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from spunto.adapters.crypto.keyring import KeyringFile
from spunto.adapters.sql.migrate import upgrade
from spunto.core.kernel.secret import Secret
from spunto.core.specs.token import edge_of_token
from spunto.entrypoints.cli.edge import main
from spunto.entrypoints.serving.databases import sqlite_url


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SPUNTO_DATA_DIR", str(tmp_path))
    KeyringFile(tmp_path / "keyring").make()
    url = sqlite_url(tmp_path / "spunto.db")
    asyncio.run(upgrade(url))
    return url


class Errands:
    """The command line with `spunto edge` in front: its exit code, and what it said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "argv", ["spunto", "edge", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out + said.err


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Errands:
    return Errands(monkeypatch, capsys)


def test_an_edge_is_registered_listed_and_removed(database: str, edge: Errands) -> None:
    _, token = edge.run("create", "front")
    code, listed = edge.run("list")

    edge_id = edge_of_token(Secret(token.strip()))
    assert (code, listed.split()) == (0, [edge_id, "front", "away", "last", "seen", "never"])
    assert edge.run("remove", str(edge_id), "--url", database) == (0, "Removed the edge front.\n")
    assert edge.run("list", "--url", database) == (0, "")


def test_programs_get_json(database: str, edge: Errands) -> None:
    made, listed, removed = (
        json.loads(edge.run(*command, "--json")[1]) for command in (["create", "front"], ["list"], ["remove", "front"])
    )

    shown = {name: value for name, value in made.items() if name != "token"}
    assert shown == {
        "id": edge_of_token(Secret(made["token"])),
        "name": "front",
        "state": "away",
        "url": None,
        "createdAt": made["createdAt"],
        "seenAt": None,
    }
    assert (listed, removed) == ({"items": [shown]}, shown)
    assert json.loads(edge.run("list", "--json")[1]) == {"items": []}


@pytest.mark.parametrize(
    ("command", "exit_code", "code", "said"),
    [
        (["create", "front"], 5, "edge_name_taken", "There is an edge of this name already."),
        (["create", "a/b"], 2, "name_invalid", "The name must not contain '/', which parts names in commands and add"),
        (["remove", "back"], 3, "edge_not_found", "There is no edge 'back'; `spunto edge list` shows them."),
        (["list", "--url", "foo"], 2, "database_url", "The database's URL can't be read. (Could not parse SQLAlchemy"),
        (
            ["list", "--url", "postgresql+asyncpg://x:y@127.0.0.1:1/z"],
            6,
            "database_unavailable",
            "The database can't answer now; try again in a moment. ([Errno 111] Connect call failed",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(
    database: str, edge: Errands, command: list[str], exit_code: int, code: str, said: str
) -> None:
    edge.run("create", "front")

    person, program = edge.run(*command), edge.run(*command, "--json")

    assert (person[0], program[0]) == (exit_code, exit_code)
    assert person[1].startswith(f"error: {said}")
    assert len(person[1].splitlines()) == 1
    problem = json.loads(program[1])
    assert (problem["code"], problem["detail"].startswith(said)) == (code, True)


def test_elsewhere_they_say_which_database_is_not_there(
    tmp_path: Path, edge: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPUNTO_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)

    assert [edge.run(*command) for command in (["list"], ["create", "x"], ["remove", "x"])] == [
        (
            3,
            f"error: There is no database at {tmp_path}/.spunto/spunto.db: say by SPUNTO_DATA_DIR, "
            "SPUNTO_DATABASE_URL or --url where it is, or go where the server was started.\n",
        )
    ] * 3
    assert list(tmp_path.iterdir()) == []


def test_settings_that_are_none_are_told_as_json_too(edge: Errands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPUNTO_PORT", "none")

    code, said = edge.run("list", "--json")

    assert (code, json.loads(said)["code"]) == (2, "invalid_settings")


def test_its_help_says_what_holds_where_nothing_is_set(edge: Errands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    code, said = edge.run("--help")

    assert code == 0
    assert "SPUNTO_EDGE_HOST: address to listen on; default: 127.0.0.1" in said
    assert "SPUNTO_EDGE_GRACE_SECONDS: how long answers may finish at a stop; default: 10" in said
    assert "None" not in said
