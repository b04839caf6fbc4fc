"""What the node's owner sets, and how mistakes are told."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from spunto.core.nodes.model import NodeId
from spunto.core.specs.token import new_token
from spunto_agent.main import main
from spunto_agent.settings import AgentSettings, SettingsError, load, node_id_of

NODE = NodeId("nod_00000000000000000000000000")
GOOD = {"SPUNTO_AGENT_SERVER_URL": "https://spunto.example", "SPUNTO_AGENT_TOKEN": "t"}


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('server_url = "https://one"\ntoken = "t"\nmax_workers = 3\n[labels]\nzone = "a"\n')

    settings = load({"SPUNTO_AGENT_SERVER_URL": "https://two", "SPUNTO_AGENT_SUBNET_POOL": "10.9.0.0/16"}, file=file)

    assert settings.server_url == "https://two"
    assert settings.policy.limits["worker"].max_count == 3
    assert settings.labels == {"zone": "a"}
    assert settings.subnet_pool == IPv4Network("10.9.0.0/16")


@pytest.mark.parametrize(("said", "limit"), [("", 20 * 1024**3), ("0", None), ("4096", 4096)])
def test_a_worker_s_disk_is_limited_unless_its_owner_says_otherwise(
    said: str, limit: int | None, tmp_path: Path
) -> None:
    settings = load({**GOOD, "SPUNTO_AGENT_MAX_WORKER_DISK_BYTES": said}, file=tmp_path / "none")

    assert settings.policy.disk_bytes("worker") == limit


def test_a_token_in_the_environment_goes_over_one_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('server_url = "https://one"\ntoken_file = "/etc/spunto/agent.token"\n')

    settings = load({"SPUNTO_AGENT_TOKEN": "from-the-environment"}, file=file)

    assert settings.read_token().reveal() == "from-the-environment"


def test_help_lists_every_setting_and_asks_for_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for name, field in AgentSettings.model_fields.items():
        assert field.description
        assert f"SPUNTO_AGENT_{name.upper()}  {field.description} (" in shown
    assert "unix:/path/of/its/socket (required)" in shown


def test_labels_from_the_environment_are_pairs(tmp_path: Path) -> None:
    settings = load({**GOOD, "SPUNTO_AGENT_LABELS": "zone=a, gpu=,fast"}, file=tmp_path / "none")

    assert settings.labels == {"zone": "a", "gpu": "", "fast": ""}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://spunto.example", "wss://spunto.example/api/agent/connect"),
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/api/agent/connect"),
        ("wss://spunto.example/base/", "wss://spunto.example/base/api/agent/connect"),
    ],
)
def test_the_agent_dials_the_server_s_address(url: str, expected: str, tmp_path: Path) -> None:
    assert load({**GOOD, "SPUNTO_AGENT_SERVER_URL": url}, file=tmp_path / "none").connect_url == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SPUNTO_AGENT_SERVER_URL": ""}, "server_url"),
        ({"SPUNTO_AGENT_SERVER_URL": "ftp://x"}, "https://"),
        ({"SPUNTO_AGENT_TOKEN": ""}, "token"),
        ({"SPUNTO_AGENT_TOKEN_FILE": "/x"}, "either"),
        ({"SPUNTO_AGENT_SUBNET_POOL": "10.0.0.0/28"}, "/24"),
        ({"SPUNTO_AGENT_MAX_WORKERS": "many"}, "SPUNTO_AGENT_MAX_WORKERS"),
        ({"SPUNTO_AGENT_TYPO": "1"}, "typo"),
    ],
)
def test_a_mistake_is_told_by_its_name_and_without_the_token(
    change: dict[str, str], words: str, tmp_path: Path
) -> None:
    secret = {**GOOD, "SPUNTO_AGENT_TOKEN": "very-secret"}

    with pytest.raises(SettingsError, match=words) as caught:
        load({**secret, **change}, file=tmp_path / "none")

    assert "very-secret" not in str(caught.value)


def test_the_token_never_shows(tmp_path: Path) -> None:
    settings = load({**GOOD, "SPUNTO_AGENT_TOKEN": "very-secret"}, file=tmp_path / "none")

    assert "very-secret" not in repr(settings)
    assert settings.read_token().reveal() == "very-secret"


def test_a_token_names_its_node_and_a_broken_one_is_told() -> None:
    token = new_token(NODE)

    assert node_id_of(token) == NODE
    with pytest.raises(SettingsError, match="token"):
        node_id_of(type(token)(token.reveal()[:-1]))
