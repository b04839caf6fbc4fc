"""A secret on a real engine: it is in the container's environment, and in nothing that Spunto keeps or tells."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.journeys.boxes import Box, running_box

pytestmark = pytest.mark.docker

VALUE = "canary-b1f7c3e9-sesame"
FORMS = [VALUE.encode(), base64.b64encode(VALUE.encode()), VALUE.encode().hex().encode()]
SMALLEST = ("--image", "localhost/spunto/busybox:1", "--cpus", "0.05", "--memory", "16MiB")


@pytest.fixture
def box(docker_url: str, tmp_path: Path) -> Iterator[Box]:
    with running_box(tmp_path / "box", engine_url=docker_url, engine_variable="DOCKER_HOST") as box:
        yield box


def spawned(box: Box, name: str) -> str:
    box.cli.run("worker", "spawn", "secretive", "--name", name)
    return box.cli.run("worker", "exec", name, "--", "sh", "-c", 'echo "$CANARY"; echo "$OTHER"').out


def test_a_planted_value_is_found_in_its_worker_and_nowhere_else(box: Box) -> None:
    said = [box.cli.run("secret", "set", "CANARY", stdin=f"{VALUE}\n")]
    said.append(box.cli.run("secret", "list", "--json"))
    said.append(box.cli.run("secret", "set", "LD_PRELOAD", stdin=VALUE, code=2))
    box.cli.run(
        "project", "create", "secretive", *SMALLEST,
        "--secret", "CANARY", "--env", "CANARY=project", "--env", "OTHER=1",
    )  # fmt: skip

    assert spawned(box, "before") == f"{VALUE}\n1\n"

    data_dir = str(box.data_dir)
    said.append(box.cli.run("keys", "rotate", SPUNTO_DATA_DIR=data_dir))
    said.append(box.cli.run("keys", "status", SPUNTO_DATA_DIR=data_dir))
    assert spawned(box, "after") == f"{VALUE}\n1\n"

    said.append(box.cli.run("worker", "show", "after", "--explain", "--json"))
    with box.api() as api:
        for body in ({"name": "CANARY", "value": VALUE, "more": 1}, {"name": "canary", "value": VALUE}):
            refused = api.post("/api/users/me/secrets", json=body)
            assert refused.status_code == 422
            assert VALUE not in refused.text
    box.up.stop()

    for done in said:
        assert VALUE not in done.out + done.err
    searched = [file for file in box.data_dir.parent.rglob("*") if file.is_file()]
    assert {"spunto.db", "keyring", "up.log"} <= {file.name for file in searched}
    assert any(file.name.startswith("journal-") for file in searched)
    assert [file for file in searched for form in FORMS if form in file.read_bytes()] == []


def test_an_organization_s_secret_enters_the_rebuilt_worker_of_its_key_and_nothing_else(box: Box) -> None:
    box.cli.run("project", "create", "shared", *SMALLEST, "--secret", "CANARY")
    with box.api() as api:
        [org] = api.get("/api/orgs").json()["items"]
        wanted = {"name": "robot", "ownerType": "org", "scopes": ["*"]}
        key = api.post(f"/api/orgs/{org['id']}/api-keys", json=wanted).json()["token"]
    said = [box.cli.run("org", "secret", "set", "CANARY", stdin=f"{VALUE}\n")]

    refused = box.cli.run("worker", "spawn", "shared", "--name", "robot", code=5, SPUNTO_TOKEN=key)
    box.cli.run("worker", "spawn", "shared", "--name", "robot", "--secrets", "without", SPUNTO_TOKEN=key)
    before = box.cli.run("worker", "exec", "robot", "--", "sh", "-c", "echo $CANARY; echo x > f", SPUNTO_TOKEN=key)
    said.append(box.cli.run("org", "secret", "grant", "CANARY", "shared"))
    said.append(box.cli.run("org", "secret", "list", "--json"))
    said.append(box.cli.run("worker", "rebuild", "robot", SPUNTO_TOKEN=key))
    after = box.cli.run("worker", "exec", "robot", "--", "sh", "-c", "echo $CANARY; cat f", SPUNTO_TOKEN=key)

    assert "CANARY" in refused.err
    assert (before.out, after.out) == ("\n", f"{VALUE}\nx\n")
    said.append(box.cli.run("worker", "show", "robot", "--explain", "--json"))
    box.up.stop()
    for done in said:
        assert VALUE not in done.out + done.err
    searched = [file for file in box.data_dir.parent.rglob("*") if file.is_file()]
    assert [file for file in searched for form in FORMS if form in file.read_bytes()] == []
