"""A hosted server on Postgres, and an agent that reaches it from another network namespace."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.namespaces import Namespace, joined_namespace
from tests.fixtures.processes import Agent, Server, agent_of, ended, running_server
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import CONVERGE_SECONDS, cleared_away
from tests.integration.journeys.command_line import CommandLine

pytestmark = [pytest.mark.docker, pytest.mark.postgres]

SMALLEST = ("--image", "localhost/spunto/busybox:1", "--cpus", "0.05", "--memory", "16MiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    directory: Path
    server: Server
    cli: CommandLine
    namespace: Namespace
    engine_url: str

    def json(self, *command: str) -> Any:
        return self.cli.run(*command, "--json").json()

    def until_node(self, status: str) -> None:
        def so() -> bool:
            return bool(self.json("node", "show", "far")["status"] == status)

        wait_until(so, seconds=CONVERGE_SECONDS, what=f"the node is {status}\n{self.server.tail()}")

    @contextmanager
    def agent(self, token: str, *, name: str) -> Iterator[Agent]:
        """An agent that has yet to be started; what it makes is cleared away."""
        token_file = self.directory / f"{name}.token"
        token_file.touch(mode=0o600)
        token_file.write_text(token)
        agent = agent_of(
            self.server, self.engine_url, self.directory / name, token_file=token_file, inside=self.namespace.inside
        )
        with cleared_away(self.engine_url, token_file), ended([agent]):
            yield agent


@pytest.fixture
def hosted(postgres_database: str, docker_url: str, tmp_path: Path) -> Iterator[Hosted]:
    """It has an owner, who is logged in, and the project `smallest`."""
    cli = CommandLine(home=tmp_path / "home")
    cli.run("db", "owner-token", code=1, SPUNTO_DATABASE_URL=postgres_database)
    cli.run("db", "upgrade", SPUNTO_DATABASE_URL=postgres_database)
    token = cli.run("db", "owner-token", SPUNTO_DATABASE_URL=postgres_database).out
    cli.run("keys", "generate", SPUNTO_KEYRING=str(tmp_path / "keyring"))
    with (
        joined_namespace() as namespace,
        running_server(
            tmp_path / "server",
            database_url=postgres_database,
            host=namespace.host or "",
            box=False,
            environment={"SPUNTO_KEYRING": str(tmp_path / "keyring")},
        ) as server,
    ):
        cli.run("login", "--url", server.url, "--token-file", "-", stdin=token)
        cli.run("project", "create", "smallest", *SMALLEST)
        yield Hosted(directory=tmp_path, server=server, cli=cli, namespace=namespace, engine_url=docker_url)


def test_a_remote_node_lives_from_create_to_delete(hosted: Hosted) -> None:
    made = hosted.json("node", "create", "far", "--label", "zone=b")
    assert hosted.server.url in made["installCommand"]
    with hosted.agent(made["token"], name="first") as first, hosted.agent("", name="second") as second:
        first.start()
        hosted.until_node("online")
        spawned = hosted.json("worker", "spawn", "--name", "one")
        assert spawned["nodeId"] == made["node"]["id"]
        assert hosted.cli.run("worker", "exec", "one", "--", "hostname").out != ""

        hosted.cli.run("node", "drain", "far")
        refused = json.loads(hosted.cli.run("worker", "spawn", "--json", code=5).err)
        assert (refused["code"], "far" in refused["detail"]) == ("no_node_available", True)
        hosted.cli.run("node", "undrain", "far")

        rotated = hosted.json("node", "rotate-token", "far")
        assert first.wait(seconds=10) == 77
        (hosted.directory / "second.token").write_text(rotated["token"])
        second.start()
        hosted.until_node("online")
        assert hosted.json("worker", "show", "one")["containerId"] == spawned["containerId"]
        assert hosted.cli.run("worker", "exec", "one", "--", "true").code == 0

        hosted.cli.run("node", "delete", "far", code=5)
        hosted.cli.run("worker", "destroy", "one", "--yes")
        hosted.cli.run("node", "delete", "far")
        assert second.wait(seconds=10) == 77
