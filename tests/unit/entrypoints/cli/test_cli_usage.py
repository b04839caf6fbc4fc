"""The command line as a whole: what it offers, and what it says to those who get it wrong."""

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from spunto.client.client import SpuntoClient
from spunto.entrypoints.cli import (
    audit,
    copying,
    events,
    keys,
    login,
    logout,
    nodes,
    org_secrets,
    orgs,
    projects,
    secrets,
    settings,
    workers,
)
from spunto.entrypoints.cli.edge import main
from spunto.entrypoints.cli.main import LAZY, app
from spunto_agent.settings import AgentSettings

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("SPUNTO_DATA_DIR", str(tmp_path))
    for name in ("SPUNTO_URL", "SPUNTO_TOKEN", "SPUNTO_ORG", "SPUNTO_PORT"):
        monkeypatch.delenv(name, raising=False)


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the whole program."""
    monkeypatch.setattr(sys, "argv", ["spunto", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def names_in(group: typer.Typer) -> set[str]:
    return {str(each.name) for each in group.registered_commands}


def test_every_command_that_is_promised_is_there() -> None:
    assert LAZY["worker"][0] == copying.__name__, "this is what adds cp, logs, exec and shell to the others"
    assert LAZY["org"][0] == org_secrets.__name__, "this is what adds members, invitations and secrets to the others"
    assert names_in(org_secrets.secrets) == names_in(secrets.app) == {"list", "set", "grant", "revoke", "remove"}
    assert names_in(orgs.app) == {
        "list", "create", "show", "rename", "delete", "use", "members", "role", "remove", "leave",
        "invite", "invites", "uninvite", "join",
    }  # fmt: skip
    assert names_in(keys.app) == {"list", "create", "revoke"}
    assert names_in(nodes.app) == {
        "list", "create", "show", "update", "delete", "rotate-token", "drain", "undrain", "inventory",
    }  # fmt: skip
    assert names_in(projects.app) == {"list", "create", "show", "update", "delete", "versions", "restore"}
    assert names_in(workers.app) == {
        "spawn", "list", "show", "stop", "start", "rebuild", "destroy", "rename",
        "logs", "exec", "shell", "attach", "terminals", "stats", "ports", "git-status", "open", "share", "keep-alive",
        "idle-timeout", "cp",
    }  # fmt: skip


@pytest.mark.parametrize("name", [*LAZY, "up", "serve", "db", "version"])
def test_every_command_explains_itself(name: str) -> None:
    result = RUNNER.invoke(app, [name, "--help"])

    assert (result.exit_code, "--help" in result.stdout) == (0, True)


def test_the_summary_of_a_command_is_the_commands_own() -> None:
    own = {name: RUNNER.invoke(app, [name, "--help"]).stdout for name in LAZY}

    assert [name for name, (_, sentence) in LAZY.items() if sentence not in " ".join(own[name].split())] == []


@pytest.mark.parametrize(
    "group",
    [orgs.app, nodes.app, projects.app, workers.app, login.app, logout.app, settings.app, audit.app, events.app],
    ids=["org", "node", "project", "worker", "login", "logout", "settings", "audit", "events"],
)
def test_every_command_speaks_json(group: typer.Typer) -> None:
    mute = [
        each.name
        for each in group.registered_commands
        if each.callback is None or "as_json" not in each.callback.__annotations__
    ]

    assert mute == []


def test_help_answers_without_loading_what_only_a_command_needs() -> None:
    heavy = ("httpx", "pydantic", "websockets", "rich.table")
    program = f"import sys, spunto.entrypoints.cli.main; print([m for m in {heavy} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded == "[]\n"


def test_a_command_that_asks_for_a_list_loads_no_more_than_that_takes() -> None:
    heavy = ("websockets", "h2", "httpx._main", "rich.table", "spunto.client.terminal", "spunto.core.workers.model")
    program = f"""
import sys
from spunto.entrypoints.cli.edge import main
sys.argv = ["spunto", "worker", "list"]
try:
    main()
except SystemExit:
    print([name for name in {heavy} if sys.modules.get(name)])
"""
    # Nothing answers there, which is told when everything is loaded.
    environment = {**os.environ, "SPUNTO_URL": "http://127.0.0.1:1", "SPUNTO_TOKEN": "x"}

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )

    assert "Can't reach" in loaded.stderr
    assert loaded.stdout == "[]\n"


def test_certificate_authorities_are_read_where_the_server_is_reached_by_https(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(nothing))

    SpuntoClient("http://spunto.example", "x")

    with pytest.raises(ssl.SSLError):
        SpuntoClient("https://spunto.example", "x")


def test_no_kind_of_answer_is_made_ready_before_one_comes() -> None:
    program = """
import spunto.client.client
from spunto.client.wire import WireModel
print([each.__name__ for each in WireModel.__subclasses__() if each.__pydantic_complete__])
"""

    ready = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert ready == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("worker", "nonsense"),
        ("worker", "show"),
        ("worker", "logs", "w", "--tail", "0"),
        ("worker", "logs", "w", "--since", "soon"),
        ("project", "create", "p", "--memory", "much"),
        ("audit", "--outcome", "maybe"),
        ("audit", "--since", "soon"),
        ("events", "--after", "-1"),
        ("up", "--port", "0"),
        ("up", "--engine", "lxc"),
        ("login", "--token", "a", "--token-file", "b"),
    ],
)
def test_a_wrong_command_line_exits_with_2(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    assert called(monkeypatch, *arguments) == 2


def test_a_choice_that_is_none_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = called(monkeypatch, "worker", "share", "fox", "3000", "everyone")

    said = capsys.readouterr().err
    assert (code, "'everyone' is not one of 'owner', 'org', 'public'" in said) == (2, True)
    assert "Value error" not in said


def test_with_json_a_wrong_command_line_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = called(monkeypatch, "worker", "show", "--json")

    shown = capsys.readouterr()
    assert (code, shown.out, json.loads(shown.err)["code"]) == (2, "", "usage")


def test_a_flag_of_the_workers_command_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = called(monkeypatch, "nonsense", "--", "ls", "--json")

    assert (code, capsys.readouterr().err.startswith("error: No such")) == (2, True)


def test_an_option_of_the_command_to_run_says_where_it_belongs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = called(monkeypatch, "worker", "exec", "fox", "ls", "-la")

    assert (code, "write -- before a command" in capsys.readouterr().err) == (2, True)


def test_who_is_not_logged_in_exits_with_4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = called(monkeypatch, "worker", "list", "--json")

    assert (code, json.loads(capsys.readouterr().err)["code"]) == (4, "not_logged_in")


def test_a_login_says_which_file_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = called(monkeypatch, "login", "--token-file", str(tmp_path / "token"))

    assert (code, str(tmp_path / "token") in capsys.readouterr().err) == (4, True)


@pytest.mark.parametrize("is_there", [True, False])
def test_without_a_token_it_is_the_boxs_owner_or_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, is_there: bool
) -> None:
    monkeypatch.setenv("SPUNTO_PORT", "1")
    if is_there:
        (tmp_path / "owner.token").write_text(" ", encoding="utf-8")

    code = called(monkeypatch, "login", "--json")

    told = json.loads(capsys.readouterr().err)["code"]
    assert (code, told) == ((2, "unreadable_token") if is_there else (6, "server_unreachable"))


def test_nobody_logs_out_who_is_not_logged_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = called(monkeypatch, "logout", "--json")

    assert (code, json.loads(capsys.readouterr().err)["code"]) == (4, "not_logged_in")


def test_a_server_that_is_not_there_exits_with_6(monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 1 is tcpmux, which nobody runs.
    monkeypatch.setenv("SPUNTO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SPUNTO_TOKEN", "t")

    assert called(monkeypatch, "org", "list") == 6


def test_config_lists_settings_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPUNTO_TOKEN", "sesame")
    monkeypatch.setenv("SPUNTO_DATABASE_URL", "postgresql+asyncpg://spunto:sesame@db/spunto")

    code = called(monkeypatch, "config", "--json")

    shown = capsys.readouterr().out
    items = json.loads(shown)["items"]
    values = {item["name"]: item["value"] for item in items}
    assert (code, "sesame" in shown) == (0, False)
    assert values["SPUNTO_TOKEN"] == "***"
    assert values["SPUNTO_DATABASE_URL"] == "postgresql+asyncpg://spunto:***@db/spunto"


def test_config_lists_what_every_program_reads_and_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "server.toml"
    file.write_text("port = 8001")
    monkeypatch.setenv("SPUNTO_CONFIG", str(file))
    monkeypatch.setenv("SPUNTO_ENGINE", "podman")
    monkeypatch.setenv("SPUNTO_AGENT_TOKEN", "sesame")
    monkeypatch.setenv("SPUNTO_AGENT_LABELS", "disk=fast")

    called(monkeypatch, "config", "--json")

    found = {item["name"]: (item["value"], item["source"]) for item in json.loads(capsys.readouterr().out)["items"]}
    assert {name: found[name] for name in _SOURCES} == {
        "SPUNTO_CONFIG": (str(file), "environment"),
        "SPUNTO_PORT": ("8001", str(file)),
        "SPUNTO_HOST": ("127.0.0.1", "default"),
        "SPUNTO_ENGINE": ("podman", "environment"),
        "SPUNTO_AGENT_TOKEN": ("***", "environment"),
        "SPUNTO_AGENT_LABELS": ("disk=fast", "environment"),
        "SPUNTO_AGENT_ENGINE": ("auto", "default"),
    }
    assert {f"SPUNTO_AGENT_{name.upper()}" for name in AgentSettings.model_fields} < set(found)


_SOURCES = (
    "SPUNTO_CONFIG", "SPUNTO_PORT", "SPUNTO_HOST", "SPUNTO_ENGINE",
    "SPUNTO_AGENT_TOKEN", "SPUNTO_AGENT_LABELS", "SPUNTO_AGENT_ENGINE",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("worker", "show"), "error: Missing argument 'WORKER'; see `spunto worker show --help`.\n"),
        (("worker", "list", "--lmit", "3"), "error: No such option: --lmit; see `spunto worker list --help`.\n"),
        (("nonsense",), "error: No such command 'nonsense'; see `spunto --help`.\n"),
        ((), ""),
    ],
)
def test_a_command_line_that_is_wrong_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    code = called(monkeypatch, *arguments)

    assert (code, capsys.readouterr().err) == (2, line)


def test_the_help_names_what_there_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = called(monkeypatch, "--help")

    shown = capsys.readouterr().out
    assert (code, "--version" in shown, "deployment" in shown) == (0, True, False)


def test_the_version_is_an_option_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(monkeypatch, "--version") == 0
    by_option = capsys.readouterr().out
    called(monkeypatch, "version")

    assert by_option == capsys.readouterr().out


def test_an_upgrade_of_the_database_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/spunto.db"

    said = []
    for _ in range(2):
        assert called(monkeypatch, "db", "upgrade", "--url", url) == 0
        said.append(capsys.readouterr().out)

    assert said[0].startswith("The database was made, at revision ")
    assert said[1].endswith("; there was nothing to do.\n")


def test_the_version_is_told_to_programs_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called(monkeypatch, "version", "--json")

    assert set(json.loads(capsys.readouterr().out)) == {"version", "commit"}
