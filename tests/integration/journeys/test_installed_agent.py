"""What a new node fetches from the server: the script, and the agent itself as a wheel."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.fixtures.processes import Program, ended
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import CONVERGE_SECONDS, Box

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def script(docker_box: Box) -> str:
    answer = httpx.get(f"{docker_box.url}/api/agent/install.sh")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/x-shellscript; charset=utf-8")
    return answer.text


@pytest.fixture
def python(docker_box: Box, script: str, tmp_path: Path) -> str:
    """That of a fresh environment, which has the wheel that the script names, and the libraries of the tests' own."""
    [package] = [line.split("'")[1] for line in script.splitlines() if line.startswith("package=")]
    venv.create(tmp_path / "venv")
    python = str(tmp_path / "venv/bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--no-cache-dir", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", package], check=True, timeout=60)
    own = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")})
    # What is named there comes behind the environment's own, and its own .pth files are not followed.
    (Path(own) / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_the_script_is_a_shell_s_and_names_its_server(docker_box: Box, script: str) -> None:
    checked = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, timeout=10, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert f"\nserver_url='{docker_box.url}'\n" in script
    assert script.endswith("\nmain </dev/null\n")


def test_the_served_wheel_is_an_agent_that_connects(docker_box: Box, python: str, tmp_path: Path) -> None:
    made = docker_box.cli.run("node", "create", "installed", "--json").json()
    place = subprocess.run(
        [python, "-c", "import spunto_agent as it; print(it.__file__)"], capture_output=True, text=True, check=True
    ).stdout

    with _agent(docker_box, python, made["token"], tmp_path) as agent:

        def is_online() -> bool:
            shown = docker_box.cli.run("node", "show", "installed", "--json").json()
            return bool(shown["status"] == "online")

        wait_until(is_online, seconds=CONVERGE_SECONDS, what=f"the node is online\n{agent.tail()}")
    assert place.startswith(str(tmp_path))


@contextmanager
def _agent(box: Box, python: str, token: str, directory: Path) -> Iterator[Program]:
    agent = Program(
        name="agent",
        command=[python, "-m", "spunto_agent"],
        environment={
            "SPUNTO_AGENT_SERVER_URL": box.url,
            "SPUNTO_AGENT_TOKEN": token,
            "SPUNTO_AGENT_DATA_DIR": str(directory),
            "DOCKER_HOST": box.up.environment["DOCKER_HOST"],
        },
        log=directory / "agent.log",
    )
    with ended([agent]):
        agent.start()
        yield agent
