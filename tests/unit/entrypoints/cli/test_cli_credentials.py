"""Which server, as whom."""

from pathlib import Path

import pytest

from spunto.core.kernel.errors import Invalid, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli.credentials import (
    Login,
    default_url,
    effective,
    is_box,
    load,
    login_path,
    owner_token_path,
    save,
)

SAVED = Login(url="http://box:8000", token=Secret("saved"), org="org_1")


def test_a_login_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    save(tmp_path / "spunto" / "login.json", SAVED)

    assert load(tmp_path / "spunto" / "login.json") == SAVED


def test_nobody_else_can_read_a_login_nor_one_that_stood_there_before(tmp_path: Path) -> None:
    path = tmp_path / "spunto" / "login.json"
    path.parent.mkdir()
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)

    save(path, SAVED)

    assert (path.stat().st_mode & 0o777, [each.name for each in path.parent.iterdir()]) == (0o600, ["login.json"])


def test_no_file_is_no_login(tmp_path: Path) -> None:
    assert load(tmp_path / "login.json") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": "http://x"}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "login.json").write_text(text, encoding="utf-8")

    with pytest.raises(Invalid, match=r"login\.json"):
        load(tmp_path / "login.json")


def test_the_saved_login_is_used() -> None:
    assert effective({}, SAVED) == SAVED


def test_a_token_in_the_environment_wins() -> None:
    assert effective({"SPUNTO_TOKEN": "other\n"}, SAVED).token == Secret("other")


def test_a_saved_token_is_never_sent_to_another_server() -> None:
    with pytest.raises(Unauthenticated, match="http://elsewhere"):
        effective({"SPUNTO_URL": "http://elsewhere"}, SAVED)


def test_a_saved_token_is_sent_to_its_server_however_that_is_written() -> None:
    assert effective({"SPUNTO_URL": "http://box:8000/"}, SAVED) == SAVED


def test_the_organization_of_another_server_is_forgotten() -> None:
    login = effective({"SPUNTO_URL": "http://elsewhere", "SPUNTO_TOKEN": "t"}, SAVED)

    assert login == Login(url="http://elsewhere", token=Secret("t"), org=None)


def test_without_any_token_one_is_told_to_log_in() -> None:
    with pytest.raises(Unauthenticated, match="spunto login"):
        effective({}, None)


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"SPUNTO_PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"SPUNTO_PORT": "9000", "SPUNTO_URL": "https://box/"}, "https://box"),
    ],
)
def test_the_server_is_this_machine_unless_said_otherwise(tmp_path: Path, env: dict[str, str], url: str) -> None:
    # A box that was run in this directory would say where it is.
    assert default_url({"SPUNTO_DATA_DIR": str(tmp_path), **env}) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://localhost:9000", True),
        ("http://spunto.localhost:9000", True),
        ("http://Spunto.Localhost:9000/", True),
        ("http://[::1]:9000", True),
        ("http://spunto.localhost:9001", False),
        ("http://spunto.localhost", False),
        ("https://spunto.localhost:9000", False),
        ("http://127.0.0.1.example.org:9000", False),
        ("http://localhost@example.org:9000", False),
        ("http://localhost:none", False),
    ],
)
def test_the_box_is_known_by_every_name_of_this_machine_and_by_its_own_port(
    tmp_path: Path, url: str, expected: bool
) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:9000\n", encoding="utf-8")

    assert is_box({"SPUNTO_DATA_DIR": str(tmp_path)}, url) is expected


def test_where_no_box_is_no_url_is_its_own(tmp_path: Path) -> None:
    assert not is_box({"SPUNTO_DATA_DIR": str(tmp_path)}, "http://127.0.0.1:8000")


def test_files_are_where_the_environment_says() -> None:
    assert login_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/spunto/login.json")
    assert login_path({"HOME": "/h"}) == Path("/h/.config/spunto/login.json")
    assert owner_token_path({"SPUNTO_DATA_DIR": "/d"}) == Path("/d/owner.token")
    assert owner_token_path({}) == Path(".spunto/owner.token")
