"""A client that a generator made from the document, knowing nothing of us, does a day's work with a scoped key."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.fixtures.scripts import answer_of
from tests.integration.journeys.boxes import Box

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

SCOPES = ("workers:write", "workers:exec", "projects:write", "org:read")
# Runs where the generator is installed, beside what it made; of us there is nothing.
WORK = """
import json, sys
from made import AuthenticatedClient
from made.api.nodes import list_nodes
from made.api.organizations import list_organizations
from made.api.projects import create_project
from made.api.workers import (
    destroy_worker, exec_in_worker, get_worker, get_worker_logs, get_worker_stats, spawn_worker, start_worker,
    stop_worker,
)
from made.api.api_keys import list_api_keys
from made.models import ExecIn, Problem, ProjectIn, WorkerIn

url, token = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=token, timeout=90) as client:
    organization = list_organizations.sync(client=client).items[0]
    asked = ProjectIn(name="made", image="localhost/spunto/busybox:1", cpus=0.05, memory_bytes=16 << 20)
    project = create_project.sync(organization.id, client=client, body=asked)
    again = create_project.sync(organization.id, client=client, body=asked)
    spawned = spawn_worker.sync(organization.id, project.id, client=client, body=WorkerIn(name="one"))
    here = organization.id, project.id, spawned.id

    def until(state):
        seen = get_worker.sync(*here, client=client, wait=60)
        assert isinstance(seen, Problem) or seen.state.value == state, seen
        return seen

    def run(command):
        return exec_in_worker.sync(*here, client=client, body=ExecIn(command=command))

    until("ready")
    done = run("echo out; echo seen >/proc/1/fd/1; echo err >&2; exit 7")
    logs = get_worker_logs.sync(*here, client=client)
    stats = get_worker_stats.sync(*here, client=client)
    states = [stop_worker.sync(*here, client=client).state.value, until("stopped").state.value]
    states += [start_worker.sync(*here, client=client).state.value, until("ready").state.value]
    states += [destroy_worker.sync(*here, client=client).state.value]
    gone = until("gone")
    refused = [
        list_nodes.sync(organization.id, client=client),
        list_api_keys.sync(organization.id, client=client),
    ]
    print(json.dumps({
        "again": again.code, "done": [done.exit_code, done.stdout, done.stderr], "logs": logs,
        "memory": stats.memory_bytes > 0, "states": states, "gone": gone.code,
        "refused": [[each.code, each.to_dict().get("requiredScopes")] for each in refused],
    }))
"""


def test_a_generated_client_drives_a_worker_with_a_scoped_key(docker_box: Box, tmp_path: Path) -> None:
    programs = Path(answer_of("openapi-client")) / "bin"
    document = tmp_path / "openapi.json"
    document.write_bytes(httpx.get(f"{docker_box.url}/api/openapi.json").content)
    config = tmp_path / "config.yml"
    config.write_text("package_name_override: made\nproject_name_override: made\npost_hooks: []\n")
    key = docker_box.cli.run("key", "create", "made", *(f"--scope={each}" for each in SCOPES), "--json").json()
    said = _run(
        programs / "openapi-python-client",
        *("generate", "--path", document, "--config", config, "--meta", "none", "--output-path", tmp_path / "made"),
    )

    done = _run(programs / "python", "-c", WORK, docker_box.url, key["token"], cwd=tmp_path)

    assert "warning" not in said.lower()
    assert json.loads(done) == {
        "again": "project_name_taken",
        "done": [7, "out\n", "err\n"],
        "logs": "seen\n",
        "memory": True,
        "states": ["stopping", "stopped", "starting", "ready", "destroying"],
        "gone": "worker_not_found",
        "refused": [["missing_scope", ["nodes:read"]], ["session_required", None]],
    }


def _run(program: Path, *arguments: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        timeout=120,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
