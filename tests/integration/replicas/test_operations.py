"""Everything works through a server that does not hold the node, and answers what the holder answers."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fixtures.balancer import Balancer, running_balancer
from tests.fixtures.processes import Agent, running_agent
from tests.fixtures.replicas import CONVERGE_SECONDS, Cluster, running_cluster
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import cleared_away
from websockets.sync.client import ClientConnection, connect

pytestmark = [pytest.mark.postgres, pytest.mark.docker]

IMAGE = "localhost/spunto/worker:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Servers `a` and `b`, an agent on Docker whose socket is at `a`, and a ready worker on its node."""

    cluster: Cluster
    balancer: Balancer
    agent: Agent
    a: httpx.Client
    b: httpx.Client
    org: str
    node_id: str
    project: str
    worker: str

    @property
    def worker_id(self) -> str:
        return self.worker.rpartition("/")[2]

    def worker_at(self, client: httpx.Client, state: str) -> dict[str, Any]:
        return became(client, self.worker, state)

    def terminal(self, name: str, query: str = "") -> ClientConnection:
        url = self.cluster.servers[name].url.replace("http", "ws", 1)
        bearer = {"Authorization": f"Bearer {self.cluster.owner_token}"}
        return connect(f"{url}/api/workers/{self.worker_id}/terminal{query}", additional_headers=bearer)


@pytest.fixture
def stage(postgres_database: str, docker_url: str, tmp_path: Path) -> Iterator[Stage]:
    with running_cluster(tmp_path, postgres_database, "a", "b") as cluster:
        a, b = cluster.servers["a"], cluster.servers["b"]
        with (
            running_balancer([a.url, b.url]) as balancer,
            cleared_away(docker_url, a.agent_token_file),
            running_agent(
                a, docker_url, tmp_path / "agent", environment={"SPUNTO_AGENT_SERVER_URL": balancer.url}
            ) as agent,
            cluster.at("a") as at_a,
            cluster.at("b") as at_b,
        ):
            org = f"/api/orgs/{at_a.get('/api/orgs').json()['items'][0]['id']}"
            node_id = at_a.get(f"{org}/nodes").json()["items"][0]["id"]
            cluster.node_is(at_b, org, node_id, "online", seconds=CONVERGE_SECONDS)
            made = at_a.post(f"{org}/projects", json={"name": "one", "image": IMAGE}).raise_for_status().json()
            project = f"{org}/projects/{made['id']}"
            worker = at_a.post(f"{project}/workers", json={}).raise_for_status().json()
            stage = Stage(
                cluster=cluster,
                balancer=balancer,
                agent=agent,
                a=at_a,
                b=at_b,
                org=org,
                node_id=node_id,
                project=project,
                worker=f"{project}/workers/{worker['id']}",
            )
            stage.worker_at(at_a, "ready")
            yield stage


def test_every_operation_answers_the_same_through_the_server_that_does_not_hold_the_node(stage: Stage) -> None:
    listed = [each.get(f"{stage.project}/workers").json() for each in (stage.a, stage.b)]
    # These two have a name each, as no servers behind one balancer do.
    assert all(each["items"][0].pop("urls") for each in listed)
    assert listed[0] == listed[1]
    assert listed[1]["items"][0]["dockerState"] == "running"

    command = {"command": ["sh", "-c", "cat; echo err >&2; exit 3"], "stdin": "in"}
    executed = [
        each.post(f"{stage.worker}/exec", json=command).raise_for_status().json() for each in (stage.a, stage.b)
    ]
    for each in executed:
        each.pop("durationMs", None)
    assert executed[0] == executed[1]

    for path in ("ports", "git-status"):
        answers = [each.get(f"{stage.worker}/{path}") for each in (stage.a, stage.b)]
        assert answers[0].status_code == answers[1].status_code
        assert without_urls(answers[0].json()) == without_urls(answers[1].json())
    assert stage.b.get(f"{stage.worker}/stats").raise_for_status().json()["memoryBytes"] > 0
    logs = [each.get(f"{stage.worker}/logs").raise_for_status().text for each in (stage.a, stage.b)]
    assert logs[0] == logs[1]

    inventories = [each.get(f"{stage.org}/nodes/{stage.node_id}/inventory").json() for each in (stage.a, stage.b)]
    # The engine is asked each time.
    assert all(each.pop("sampledAt") for each in inventories)
    assert inventories[0] == inventories[1]


def test_what_is_asked_at_one_server_happens_at_once_on_a_node_of_the_other(stage: Stage) -> None:
    """Far below what any poll would take: the hint crosses between the processes."""
    with stage.a.stream("GET", f"{stage.org}/events") as following:
        told = following.iter_lines()
        next(told)
        before = time.monotonic()
        made = stage.b.post(f"{stage.project}/workers", json={}).raise_for_status().json()
        second = f"{stage.project}/workers/{made['id']}"
        became(stage.b, second, "ready", seconds=4.0)
        took_seconds = time.monotonic() - before
        # What happened at one server is told at the other.
        assert any(made["id"] in line and "ready" in line for line in told)

    stage.b.post(f"{second}/stop").raise_for_status()
    became(stage.b, second, "stopped", seconds=20.0)
    stage.b.delete(second).raise_for_status()
    wait_until(lambda: stage.a.get(second).status_code == 404, seconds=20.0, what="the worker is gone")
    assert took_seconds < 4.0


def test_a_terminal_goes_on_at_the_other_server_with_nothing_lost_and_nothing_repeated(stage: Stage) -> None:
    with stage.terminal("b") as terminal:
        ready = json.loads(terminal.recv(timeout=10))
        type_in(terminal, "for i in 1 2 3; do echo line-$i; done; sleep 1; echo la''te\n")
        seen, offset = read_until(terminal, "line-3\r\n", ready["offset"])

    with stage.terminal("a", f"?session={ready['session']}&offset={offset}") as again:
        assert json.loads(again.recv(timeout=10))["offset"] == offset
        rest, end = read_until(again, "late\r\n", offset)
    with stage.terminal("b", f"?session={ready['session']}&offset=0") as whole:
        whole.recv(timeout=10)
        everything, _ = read_until(whole, "late\r\n", 0)

    assert (seen + rest)[: end - ready["offset"]] == everything[: end - ready["offset"]]


def test_a_killed_server_s_agent_goes_to_the_other_and_nothing_acknowledged_is_lost(stage: Stage) -> None:
    with stage.terminal("b") as terminal:
        ready = json.loads(terminal.recv(timeout=10))
        type_in(terminal, "echo be''fore\n")
        _, offset = read_until(terminal, "before\r\n", ready["offset"])

        stage.cluster.servers["a"].kill()
        killed_at = time.monotonic()
        made = stage.b.post(f"{stage.project}/workers", json={}).raise_for_status().json()
        refused = stage.b.post(f"{stage.worker}/exec", json={"command": ["true"]})
        assert refused.status_code in (200, 503)
        if refused.status_code == 503:
            assert (refused.json()["code"], "Retry-After" in refused.headers) == ("node_offline", True)

    wait_until(
        lambda: stage.b.post(f"{stage.worker}/exec", json={"command": ["true"]}).status_code == 200,
        seconds=20.0,
        what="the node is in reach at b",
    )
    back_seconds = time.monotonic() - killed_at
    became(stage.b, f"{stage.project}/workers/{made['id']}", "ready")
    with stage.terminal("b", f"?session={ready['session']}&offset={offset}") as again:
        assert json.loads(again.recv(timeout=10))["offset"] == offset
        type_in(again, "echo af''ter\n")
        rest, _ = read_until(again, "after\r\n", offset)
    assert "before" not in rest
    assert back_seconds < 10.0


def test_a_starting_server_leaves_the_nodes_of_the_others_alone(stage: Stage) -> None:
    stage.cluster.servers["b"].stop()
    epoch = stage.a.get(f"{stage.org}/nodes/{stage.node_id}").json()
    stage.cluster.servers["b"].start()
    stage.cluster.servers["b"].wait_ready()

    again = stage.b.get(f"{stage.org}/nodes/{stage.node_id}").json()

    # These two servers have no public address in common.
    assert again | {"upgradeCommand": ""} == epoch | {"upgradeCommand": ""}
    assert again["status"] == "online"


def test_a_token_rotated_at_one_server_cuts_the_socket_at_the_other(stage: Stage) -> None:
    before = time.monotonic()
    stage.b.post(f"{stage.org}/nodes/{stage.node_id}/token").raise_for_status()

    wait_until(lambda: "4403" in stage.agent.tail() or "token_rotated" in stage.agent.tail(), seconds=5, what="the cut")

    assert time.monotonic() - before < 2.0
    assert stage.a.post(f"{stage.worker}/exec", json={"command": ["true"]}).status_code == 503


def test_no_public_port_answers_what_replicas_ask(stage: Stage) -> None:
    for server in stage.cluster.servers.values():
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x" * 22 + "==",
        }
        for url in (server.url, server.environment["SPUNTO_REPLICA_URL"]):
            assert httpx.get(f"{url}/api/replica/connect").status_code == 404
            assert httpx.get(f"{url}/api/replica/connect", headers=upgrade).status_code == 404
        assert httpx.get(f"{server.environment['SPUNTO_REPLICA_URL']}/healthz").status_code == 404


def became(client: httpx.Client, worker: str, state: str, *, seconds: float = CONVERGE_SECONDS) -> dict[str, Any]:
    def so() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(worker).raise_for_status().json()
        return found if found["state"] == state else None

    return wait_until(so, seconds=seconds, what=f"{worker} is {state}")


def type_in(terminal: ClientConnection, text: str) -> None:
    terminal.send(json.dumps({"type": "input", "data": base64.b64encode(text.encode()).decode()}))


def read_until(terminal: ClientConnection, end: str, offset: int) -> tuple[str, int]:
    """What is shown up to that text, and the offset behind it."""
    shown = ""
    while end not in shown:
        frame = json.loads(terminal.recv(timeout=10))
        if frame["type"] == "output":
            assert frame["offset"] == offset
            piece = base64.b64decode(frame["data"])
            shown += piece.decode()
            offset += len(piece)
    return shown, offset


def without_urls(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "items": [{**each, "url": None} for each in answer["items"]]} if "items" in answer else answer
