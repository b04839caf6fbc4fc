"""An agent that the server does not understand, and the one line that brings the server's own beside a worker."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fixtures.machines import Machine, a_machine
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import CONVERGE_SECONDS, Box

pytestmark = pytest.mark.docker

PID_FILE = Path("/run/spunto-agent.pid")
INSTALL_SECONDS = 240.0
PROTOCOL = "/opt/spunto-agent/lib/python3*/site-packages/spunto/core/protocol/messages.py"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with a_machine(tmp_path / "machine") as machine:
        yield machine
        _end_agent()


def _end_agent() -> None:
    with suppress(OSError, ValueError):
        os.kill(int(PID_FILE.read_text()), signal.SIGTERM)
    PID_FILE.unlink(missing_ok=True)


def test_the_install_line_upgrades_an_agent_of_before_beside_a_running_worker(
    docker_box: Box, machine: Machine
) -> None:
    cli, engine = docker_box.cli, docker_box.up.environment["DOCKER_HOST"]
    made = cli.run("node", "create", "aged", "--json").json()

    def node() -> Any:
        return cli.run("node", "show", "aged", "--json").json()

    def until(status: str) -> None:
        wait_until(lambda: node()["status"] == status, seconds=CONVERGE_SECONDS, what=f"{status}, not {node()}")

    machine.run(made["installCommand"], seconds=INSTALL_SECONDS, DOCKER_HOST=engine)
    until("online")
    worker = cli.run("worker", "spawn", "--node", "aged", "--name", "old", "--json").json()
    before = _running(docker_box, worker["id"])

    machine.run(f"sed -i 's/^PROTOCOL_M\\(..\\) = .*/PROTOCOL_M\\1 = 1/' {PROTOCOL}", seconds=5)
    _end_agent()
    again = "setsid /opt/spunto-agent/bin/python -m spunto_agent >/dev/null 2>&1 & echo $! >/run/spunto-agent.pid"
    machine.run(again, seconds=5, DOCKER_HOST=engine)
    until("error")
    shown = node()
    assert (shown["error"]["code"], shown["connected"]) == ("agent_incompatible", False)
    refused = cli.run("worker", "spawn", "--node", "aged", "--json", code=5).err
    assert "has an agent that is not understood" in refused

    machine.run(shown["upgradeCommand"], seconds=INSTALL_SECONDS, DOCKER_HOST=engine)
    until("online")
    assert (node()["error"], node()["agent"]["outdated"]) == (None, False)
    assert _running(docker_box, worker["id"]) == before
    assert cli.run("worker", "exec", "old", "--", "hostname").out != ""

    cli.run("node", "delete", "aged", "--force")
    wait_until(lambda: _is_gone(docker_box, made["node"]), seconds=CONVERGE_SECONDS, what="the node is gone")
    assert _running(docker_box, worker["id"]) is None


def _is_gone(box: Box, node: Any) -> bool:
    with box.api() as api:
        return api.get(f"/api/orgs/{node['orgId']}/nodes/{node['id']}").status_code == httpx.codes.NOT_FOUND


def _running(box: Box, worker_id: str) -> tuple[str, str] | None:
    """The container's id and since when it has been running."""
    path = f"/containers/mp-worker-{worker_id.partition('_')[2]}/json"
    socket = box.up.environment["DOCKER_HOST"].removeprefix("unix://")
    with httpx.Client(transport=httpx.HTTPTransport(uds=socket), base_url="http://engine") as engine:
        answer = engine.get(path)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    found = answer.json()
    return found["Id"], found["State"]["StartedAt"]
