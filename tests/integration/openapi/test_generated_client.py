"""A client generated from the document, by a generator that knows nothing of us, does a day's work."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.fixtures.live import live_server
from tests.fixtures.scripts import answer_of
from tests.fixtures.waiting import wait_until

# Runs where the generator is installed, beside what it made; of us there is nothing.
WORK = """
import json, sys
from made import AuthenticatedClient
from made.api.organizations import list_organizations
from made.api.projects import create_project
from made.api.workers import destroy_worker, get_worker, spawn_worker
from made.models import Problem, ProjectIn, WorkerIn

url, token = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=token) as client:
    organization = list_organizations.sync(client=client).items[0]
    asked = ProjectIn(name="made", image="localhost/spunto/worker:1")
    project = create_project.sync(organization.id, client=client, body=asked)
    again = create_project.sync(organization.id, client=client, body=asked)
    worker = spawn_worker.sync(organization.id, project.id, client=client, body=WorkerIn(name="one"))
    seen = get_worker.sync(organization.id, project.id, worker.id, client=client)
    gone = destroy_worker.sync(organization.id, project.id, worker.id, client=client)
    assert isinstance(again, Problem)
    print(json.dumps({
        "project": project.name, "again": again.code, "spawned": worker.state.value, "seen": seen.name,
        "destroyed": gone.state.value, "path": f"/api/orgs/{organization.id}/projects/{project.id}/workers/{worker.id}",
    }))
"""


@pytest.mark.timeout(300)
def test_a_generated_client_spawns_and_destroys_a_worker(tmp_path: Path) -> None:
    programs = Path(answer_of("openapi-client")) / "bin"
    with live_server(tmp_path / "server") as live:
        document = tmp_path / "openapi.json"
        document.write_bytes(httpx.get(f"{live.url}/api/openapi.json").content)
        config = tmp_path / "config.yml"
        config.write_text("package_name_override: made\nproject_name_override: made\n")
        said = _run(
            programs / "openapi-python-client",
            *("generate", "--path", document, "--config", config, "--meta", "none", "--output-path", tmp_path / "made"),
        )

        done = json.loads(_run(programs / "python", "-c", WORK, live.url, live.token, cwd=tmp_path))

        assert "Warning" not in said
        path = done.pop("path")
        assert done == {
            "project": "made",
            "again": "project_name_taken",
            "spawned": "spawning",
            "seen": "one",
            "destroyed": "destroying",
        }
        wait_until(
            lambda: httpx.get(f"{live.url}{path}", headers=live.bearer).status_code == httpx.codes.NOT_FOUND,
            seconds=30,
            what="the worker to be gone",
        )


def _run(program: Path, *arguments: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, check=False, text=True, timeout=120, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
