"""The class-room of the examples, with the agent's own process on a real engine."""

import re
import sys
from pathlib import Path

import httpx
import pytest
from examples import classroom
from tests.fixtures.processes import START_SECONDS, Program, ended, free_port
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import cleared_away

pytestmark = pytest.mark.docker


def test_each_pupil_is_greeted_by_a_worker_of_their_own(tmp_path: Path, docker_url: str) -> None:
    port, log = free_port(), tmp_path / "classroom.log"
    # In a directory of its own, where its database is made.
    server = Program(
        name="classroom",
        command=["env", "-C", str(tmp_path), sys.executable, classroom.__file__, str(port)],
        environment={},
        log=log,
    )
    with ended([server]):
        server.start()
        line = re.compile(r"SPUNTO_AGENT_SERVER_URL=(\S+) SPUNTO_AGENT_TOKEN=(\S+) spunto agent")
        told = wait_until(lambda: line.search(log.read_text()), seconds=START_SECONDS, what="what to start")
        agent = Program(
            name="agent",
            command=[sys.executable, "-m", "spunto_agent"],
            environment={
                "SPUNTO_AGENT_SERVER_URL": told[1],
                "SPUNTO_AGENT_TOKEN": told[2],
                "SPUNTO_AGENT_DATA_DIR": str(tmp_path / "agent"),
                "SPUNTO_AGENT_ENGINE_URL": docker_url,
            },
            log=tmp_path / "agent.log",
        )
        token = tmp_path / "token"
        token.write_text(told[2])
        with cleared_away(docker_url, token), ended([agent]):
            agent.start()

            def greeted(pupil: str) -> str | None:
                answer = httpx.get(f"http://127.0.0.1:{port}/{pupil}", timeout=90)
                return answer.text if answer.is_success else None

            for pupil in ("ada", "grace"):
                said = wait_until(lambda pupil=pupil: greeted(pupil), seconds=START_SECONDS, what="a greeting")  # type: ignore[misc]  # mypy knows no lambda with a default

                assert said == f"hello {pupil}\n"
