"""Starts: those that can't be say why in one line and are not repeated, and those that may be odd are as any other."""

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.fixtures.processes import ended, free_port, running_server
from tests.integration.journeys.boxes import Box, box_of, cleared_away
from tests.integration.journeys.command_line import Done

from spunto.adapters.sql.migrate import upgrade
from spunto.entrypoints.serving.databases import sqlite_url

ODD_NAME = "que?stion #1 %41 ü's"


def _a_file(directory: Path) -> Path:
    directory.write_text("")
    return directory


def _below_a_file(directory: Path) -> Path:
    return _a_file(directory) / "below"


def _where_nobody_writes(_: Path) -> Path:
    return Path("/proc")


def _with_a_damaged_database(directory: Path) -> Path:
    directory.mkdir()
    (directory / "spunto.db").write_bytes(b"no database at all, " * 500)
    return directory


def _with_a_directory_for_database(directory: Path) -> Path:
    (directory / "spunto.db").mkdir(parents=True)
    return directory


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (_a_file, "The data directory {} is a file; name a directory. ([Errno 17] File exists: '{}')"),
        (_below_a_file, "The data directory {} can't be used. ([Errno 20] Not a directory: '{}')"),
        (_where_nobody_writes, "The data directory /proc can't be used."),
        (_with_a_damaged_database, "The database's file is damaged; restore a backup of it."),
        (_with_a_directory_for_database, "The database {}/spunto.db can't be used."),
    ],
)
def test_a_start_that_can_t_be_says_why_and_is_not_repeated(
    tmp_path: Path, prepare: Callable[[Path], Path], said: str
) -> None:
    data_dir = prepare(tmp_path / "data")
    box = _box(tmp_path, data_dir)

    with ended([box.up]):
        box.up.start()
        code = box.up.wait(seconds=20)

    [line] = box.up.log.read_text().splitlines()
    assert (code, line.startswith("spunto: " + said.replace("{}", str(data_dir)))) == (78, True), line


async def test_the_database_of_a_newer_version_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "data" / "spunto.db"
    file.parent.mkdir()
    await upgrade(sqlite_url(file))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    box = _box(tmp_path, file.parent)

    with ended([box.up]):
        box.up.start()
        code = box.up.wait(seconds=20)

    [line] = box.up.log.read_text().splitlines()
    assert (code, line.partition(", and ")[0]) == (78, "spunto: The database is at revision 9999")


def test_a_data_directory_may_be_called_anything(tmp_path: Path) -> None:
    data_dir = tmp_path / ODD_NAME

    with running_server(data_dir):
        assert (data_dir / "spunto.db").stat().st_size > 0
        assert stat.S_IMODE((data_dir / "spunto.db").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [ODD_NAME]


def test_a_database_that_everybody_could_read_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "spunto.db").touch(mode=0o644)

    with running_server(tmp_path):
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("spunto.db*")}

    assert modes == dict.fromkeys(("spunto.db", "spunto.db.lock", "spunto.db-shm", "spunto.db-wal"), 0o600)


@pytest.mark.docker
def test_a_box_that_is_ready_takes_a_worker_at_once_also_on_ipv6_behind_a_broken_proxy(
    tmp_path: Path, docker_url: str
) -> None:
    box = box_of(
        tmp_path,
        host="::1",
        port=free_port("::1"),
        environment={"DOCKER_HOST": docker_url, "HTTP_PROXY": "http://127.0.0.1:9"},
    )

    def run(*arguments: str) -> Done:
        return box.cli.run(*arguments, HTTP_PROXY="http://127.0.0.1:9", SPUNTO_DATA_DIR=str(box.data_dir))

    with ended([box.up]), cleared_away(docker_url, box.data_dir / "agent" / "token"):
        box.up.start()
        box.wait_ready()
        run("login")
        run("project", "create", "first", "--image", "localhost/spunto/worker:1")
        spawned = run("worker", "spawn", "first", "--json")
        run("worker", "exec", "first-1", "--", "true")
        logged = [json.loads(line) for line in box.up.log.read_text().splitlines() if line.startswith("{")]

    assert spawned.json()["state"] == "ready"
    # The agent comes only once the server listens, so that nothing alarming is said.
    assert [each for each in logged if each["event"] == "disconnected"] == []


def _box(tmp_path: Path, data_dir: Path) -> Box:
    return box_of(tmp_path, port=free_port(), environment={"SPUNTO_LOG_FORMAT": "json"}, data_dir=data_dir)
