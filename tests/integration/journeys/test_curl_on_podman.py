"""The HTTP API by curl, against a box on Podman: from the first project to the last delete."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import CONVERGE_SECONDS, Box

pytestmark = pytest.mark.podman


@dataclass(frozen=True, slots=True, kw_only=True)
class Curl:
    box: Box

    def __call__(self, method: str, path: str, *options: str, body: object = None) -> tuple[int, Any]:
        """The status and the answer, read as JSON where it is."""
        url = f"{self.box.url}{path}"
        sent = [] if body is None else ["--json", body if isinstance(body, str) else json.dumps(body)]
        told = ["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code} %{content_type}"]
        # The token goes by a file, so that it stands in nobody's list of processes.
        command = ["curl", "--config", str(self.config), *told, "--request", method, *sent, *options, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        answer, _, summary = done.stdout.rpartition("\n")
        status, _, kind = summary.partition(" ")
        return int(status), json.loads(answer) if "json" in kind else answer

    @property
    def config(self) -> Path:
        return self.box.data_dir / "curl"


@pytest.fixture
def curl(podman_box: Box) -> Curl:
    curl = Curl(box=podman_box)
    curl.config.write_text(f'header = "Authorization: Bearer {podman_box.token}"\n')
    return curl


def test_a_worker_lives_from_spawn_to_destroy(curl: Curl) -> None:
    org = curl("GET", "/api/orgs")[1]["items"][0]["id"]
    engine = wait_until(lambda: _agent_of(curl, org), seconds=CONVERGE_SECONDS, what="the node is online")["engine"]
    asked = {"name": "small", "image": "localhost/spunto/busybox:1", "cpus": 0.05, "memoryBytes": 16 * 2**20}
    status, project = curl("POST", f"/api/orgs/{org}/projects", body=asked)
    assert (engine, status, project["version"]) == ("podman", 201, 1)
    workers = f"/api/orgs/{org}/projects/{project['id']}/workers"

    repeatable = ("--header", "Idempotency-Key: once")
    status, spawned = curl("POST", workers, *repeatable, body={"name": "one"})
    again = curl("POST", workers, *repeatable, body={"name": "one"})
    assert (status, spawned["state"], again[1]["id"]) == (202, "spawning", spawned["id"])
    worker = f"{workers}/{spawned['id']}"
    _until(curl, worker, "ready")

    status, done = curl(
        "POST", f"{worker}/exec", body={"command": "read a; echo $a >/proc/1/fd/1; exit 3", "stdin": "hi"}
    )
    assert (status, done["exitCode"], done["timedOut"]) == (200, 3, False)
    wait_until(lambda: curl("GET", f"{worker}/logs?tail=5") == (200, "hi\n"), seconds=10, what="the line in the log")
    status, stats = curl("GET", f"{worker}/stats")
    assert (status, stats["memoryLimitBytes"]) == (200, asked["memoryBytes"])
    assert curl("PATCH", worker, body={"name": "two"})[1]["name"] == "two"

    assert curl("POST", f"{worker}/stop")[0] == 202
    _until(curl, worker, "stopped")
    assert (curl("GET", f"{worker}/stats")[1]["code"], curl("POST", f"{worker}/start")[0]) == (
        "worker_not_running",
        202,
    )
    _until(curl, worker, "ready")
    assert curl("GET", f"{worker}?explain=true")[1]["explanation"]["blocking"] is None

    assert curl("DELETE", worker)[0] == 202
    wait_until(lambda: curl("GET", worker)[0] == 404, seconds=CONVERGE_SECONDS, what="the worker is gone")
    assert curl("DELETE", f"/api/orgs/{org}/projects/{project['id']}")[0] == 204


def test_an_image_that_isn_t_there_is_told_in_the_engine_s_words(curl: Curl) -> None:
    org = curl("GET", "/api/orgs")[1]["items"][0]["id"]
    wait_until(lambda: _agent_of(curl, org), seconds=CONVERGE_SECONDS, what="the node is online")
    asked = {"name": "none", "image": "localhost/spunto/missing:1", "cpus": 0.05, "memoryBytes": 16 * 2**20}
    project = curl("POST", f"/api/orgs/{org}/projects", body=asked)[1]
    workers = f"/api/orgs/{org}/projects/{project['id']}/workers"
    worker = f"{workers}/{curl('POST', workers, body={})[1]['id']}"

    failed = _until(curl, worker, "error")

    assert failed["error"]["code"] == "image_not_found"
    assert "localhost/spunto/missing" in failed["error"]["message"]
    assert curl("DELETE", worker)[0] == 202
    wait_until(lambda: curl("GET", worker)[0] == 404, seconds=CONVERGE_SECONDS, what="the worker is gone")


@pytest.mark.parametrize(
    ("method", "path", "options", "body", "status", "code"),
    [
        ("GET", "/api/nowhere", (), None, 404, "route_not_found"),
        ("PUT", "/api/orgs", (), None, 405, "method_not_allowed"),
        ("POST", "/api/orgs", (), "{not json", 400, "invalid_json"),
        ("POST", "/api/orgs", (), {"name": "x", "colour": "red"}, 422, "invalid_request"),
        ("GET", "/api/orgs/org_00000000000000000000000000", (), None, 404, "organization_not_found"),
        ("GET", "/api/orgs", ("--header", "Authorization: Bearer sps_wrong"), None, 400, "duplicate_header"),
    ],
)
def test_a_bad_request_is_a_problem(
    curl: Curl, method: str, path: str, options: tuple[str, ...], body: object, status: int, code: str
) -> None:
    answered, problem = curl(method, path, *options, body=body)

    assert (answered, problem["code"], problem["status"]) == (status, code, status)


def _agent_of(curl: Curl, org_id: str) -> Any:
    [node] = curl("GET", f"/api/orgs/{org_id}/nodes")[1]["items"]
    return node["agent"] if node["status"] == "online" else None


def _until(curl: Curl, worker: str, state: str) -> Any:
    def so() -> Any:
        found = curl("GET", worker)[1]
        return found if found["state"] == state else None

    return wait_until(so, seconds=CONVERGE_SECONDS, what=f"{worker} is {state}\n{curl.box.up.tail()}")
