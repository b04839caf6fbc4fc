"""A scoped API key on a real box: it drives a worker's life, is refused the rest by name, and ends what it opened."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import Box
from tests.integration.journeys.command_line import CommandLine

from spunto.adapters.sql.store import SqlStore
from spunto.core.access.model import Actor, ActorKind, ApiKeyId, OrgId, Tenant
from spunto.core.access.policy import Role
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.wakeups import Wakeups

pytestmark = pytest.mark.docker

SMALLEST = ("--image", "localhost/spunto/busybox:1", "--cpus", "0.05", "--memory", "16MiB")
DRIVING = ("workers:write", "workers:exec", "projects:read")
REACH_SECONDS = 5.0


@pytest.fixture(scope="module")
def box(docker_box: Box) -> Box:
    docker_box.cli.run("project", "create", "smallest", *SMALLEST)
    docker_box.worker_is("hello-1", "ready")
    return docker_box


Keyed = Callable[..., tuple[CommandLine, dict[str, Any]]]


@pytest.fixture
def keyed(box: Box, tmp_path: Path) -> Keyed:
    """Makes a key with the scopes, and a command line that is logged in with it."""

    def make(*scopes: str, owner: str = "user") -> tuple[CommandLine, dict[str, Any]]:
        wanted = [part for scope in scopes for part in ("--scope", scope)]
        made: dict[str, Any] = box.cli.run("key", "create", "ci", *wanted, "--owner", owner, "--json").json()
        token_file = tmp_path / f"{made['id']}.token"
        token_file.write_text(made["token"])
        cli = CommandLine(home=tmp_path / made["id"])
        cli.run("login", "--url", box.url, "--token-file", str(token_file))
        return cli, made

    return make


@pytest.fixture
def worker(box: Box, keyed: Keyed) -> Iterator[tuple[CommandLine, dict[str, Any], str]]:
    """A worker that a key of the organization has, with that key."""
    cli, made = keyed(*DRIVING, owner="org")
    name = f"of-{made['id'][-6:]}"
    cli.run("worker", "spawn", "smallest", "--name", name)
    yield cli, made, name
    box.cli.run("worker", "destroy", name, "--json")


def refusal(cli: CommandLine, *command: str) -> tuple[str, list[str] | None]:
    problem = json.loads(cli.run(*command[:2], "--json", *command[2:], code=4).err)
    return problem["code"], problem.get("requiredScopes")


@pytest.mark.parametrize("owner", ["user", "org"])
def test_a_scoped_key_drives_a_worker_from_spawn_to_destroy(box: Box, keyed: Keyed, owner: str) -> None:
    cli, made = keyed(*DRIVING, owner=owner)
    name = f"keyed-{owner}"

    assert cli.run("worker", "spawn", "smallest", "--name", name).out == f"Worker {name} is ready.\n"
    assert cli.run("worker", "exec", name, "--", "sh", "-c", "echo ran >/proc/1/fd/1; exit 7", code=7).out == ""
    wait_until(lambda: cli.run("worker", "logs", name).out == "ran\n", seconds=10, what="the line in the log")
    assert cli.run("worker", "stats", name, "--json").json()["memoryBytes"] > 0
    assert cli.run("worker", "stop", name).out == f"Worker {name} is stopped.\n"
    assert cli.run("worker", "start", name).out == f"Worker {name} is ready.\n"
    shown = cli.run("worker", "show", name, "--json").json()
    assert cli.run("worker", "destroy", name, "--yes").out == f"Worker {name} is gone.\n"

    owned_by = (shown.get("userId"), shown.get("apiKeyId"))
    assert owned_by == ((made["userId"], None) if owner == "user" else (None, made["id"]))
    [listed] = [each for each in box.cli.run("key", "list", "--json").json()["items"] if each["id"] == made["id"]]
    assert listed["lastUsedAt"] is not None
    assert "token" not in listed


def test_what_the_key_does_not_cover_is_refused_by_the_name_of_the_scope(box: Box, keyed: Keyed) -> None:
    driving, _ = keyed(*DRIVING)
    reading, _ = keyed("workers:read", "projects:read")
    everything, _ = keyed("*")

    assert refusal(driving, "node", "list") == ("missing_scope", ["nodes:read"])
    assert refusal(driving, "org", "list") == ("missing_scope", ["org:read"])
    assert refusal(driving, "project", "create", "more", *SMALLEST) == ("missing_scope", ["projects:write"])
    assert refusal(reading, "worker", "spawn", "smallest") == ("missing_scope", ["workers:write"])
    assert refusal(reading, "worker", "stop", "hello-1") == ("missing_scope", ["workers:write"])
    assert refusal(reading, "worker", "exec", "hello-1", "--", "true") == ("missing_scope", ["workers:exec"])
    assert refusal(everything, "key", "list") == ("session_required", None)
    assert refusal(reading, "node", "create", "more") == ("missing_scope", ["nodes:write"])
    assert everything.run("node", "create", "more", "--json").json()["node"]["name"] == "more"
    said = driving.run("node", "list", code=4).err
    assert said == "error: The key lacks the scope: nodes:read.\n"


def revoked_here(box: Box, made: dict[str, Any]) -> None:
    box.cli.run("key", "revoke", made["id"])


def revoked_by_another_server(box: Box, made: dict[str, Any]) -> None:
    """As another replica does it: in the database, without a word to this one."""
    org_id = OrgId(box.cli.run("org", "show", "default", "--json").json()["id"])
    actor = Actor(kind=ActorKind.SYSTEM, credential_id="test", roles={org_id: Role.OWNER})

    async def revoke() -> None:
        clock = SystemClock()
        store = await SqlStore.open(f"sqlite+aiosqlite:///{box.data_dir / 'spunto.db'}", Wakeups(clock))
        try:
            async with store() as tx:
                tenant = Tenant(org_id=org_id, role=Role.OWNER, actor=actor)
                await tx.api_keys.revoke(tenant, ApiKeyId(made["id"]), at=clock.now())
                await tx.commit()
        finally:
            await store.aclose()

    asyncio.run(revoke())


@pytest.mark.parametrize("revoke", [revoked_here, revoked_by_another_server])
def test_a_revoked_key_loses_its_open_terminal_within_seconds(
    box: Box, worker: tuple[CommandLine, dict[str, Any], str], revoke: Callable[[Box, dict[str, Any]], None]
) -> None:
    cli, made, name = worker

    with cli.on_a_terminal("worker", "shell", name) as terminal:
        terminal.until("# ")
        terminal.type("echo to''gether\r")
        terminal.until("together\r\n")
        revoke(box, made)
        revoked_at = time.monotonic()
        code = terminal.exit_code()
        took_seconds = time.monotonic() - revoked_at

    assert code == 4
    assert took_seconds < REACH_SECONDS
    assert httpx.get(f"{box.url}/api/orgs", headers={"Authorization": f"Bearer {made['token']}"}).status_code == 401
