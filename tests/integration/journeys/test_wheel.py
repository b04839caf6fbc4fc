"""The package as a stranger installs it: a clean environment, the built wheel, and no repository in sight."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fixtures.processes import ended, free_port
from tests.integration.journeys.boxes import Box, box_of, cleared_away
from tests.integration.journeys.command_line import CommandLine

pytestmark = [pytest.mark.docker, pytest.mark.long]

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`spunto` in an environment that has the wheel and the locked packages of the extras that README names."""
    place = tmp_path_factory.mktemp("stranger")
    built = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)]
    subprocess.run(built, cwd=REPOSITORY, check=True, capture_output=True, timeout=60)
    [wheel] = place.glob("*.whl")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    subprocess.run([sys.executable, "-m", "venv", str(place / "venv")], check=True, timeout=60)
    python = str(place / "venv/bin/python")
    install = [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "-qq"]
    locked = [str(REPOSITORY / f"requirements/{extra}.txt") for extra in ("server", "agent", "cli")]
    named = [argument for file in locked for argument in ("-r", file)]
    subprocess.run([*install, "--require-hashes", *named], cwd=place, check=True, timeout=300)
    subprocess.run([*install, "--no-deps", str(wheel)], cwd=place, check=True, timeout=60)
    return str(place / "venv/bin/spunto")


@pytest.fixture
def box(program: str, docker_url: str, tmp_path: Path) -> Iterator[Box]:
    made = box_of(tmp_path, port=free_port(), environment={"DOCKER_HOST": docker_url}, demo=True)
    made.up.command = [program, *made.up.command[1:]]
    made = replace(made, cli=CommandLine(home=tmp_path / "home", program=program))
    with ended([made.up]), cleared_away(docker_url, made.data_dir / "agent" / "token"):
        made.up.start()
        made.wait_ready()
        yield made


def test_an_installed_wheel_runs_a_box_whose_worker_answers(box: Box, program: str) -> None:
    box.cli.run("login", SPUNTO_DATA_DIR=str(box.data_dir))
    box.worker_is("hello-1", "ready")

    said = box.cli.run("worker", "exec", "hello-1", "--", "git", "--version")
    spawned = box.cli.run("worker", "spawn", "hello", "--name", "second", "--json")
    place = subprocess.run(
        [str(Path(program).with_name("python")), "-c", "import spunto; print(list(spunto.__path__)[0])"],
        cwd="/", capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip

    assert said.out.startswith("git version")
    assert spawned.json()["state"] == "ready"
    assert place.startswith(str(Path(program).parents[1]))


def test_the_image_is_looked_for_by_a_command_of_the_package(program: str, docker_url: str) -> None:
    done = subprocess.run(
        [program, "worker-image", "--engine-url", docker_url],
        cwd="/", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
