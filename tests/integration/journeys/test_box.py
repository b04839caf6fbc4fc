"""One box: `spunto up` on a fresh directory, its ends and its next beginnings."""

import os
import re
import signal
import stat
import time
from pathlib import Path

import httpx
import pytest
from tests.fixtures.processes import ended, free_port
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import Box, box_of, cleared_away

pytestmark = pytest.mark.docker

SECOND_START_SECONDS = 15.0


def test_the_owner_s_token_is_private_and_the_demo_s_worker_comes_up(docker_box: Box) -> None:
    assert stat.S_IMODE(docker_box.token_file.stat().st_mode) == 0o600
    assert docker_box.worker_is("hello-1", "ready")["containerId"] is not None


def test_the_sign_in_link_works_once(docker_box: Box) -> None:
    link = told_link(docker_box)
    host, _, target = link.removeprefix("http://").partition("/")
    headers = {"Host": host}

    first = httpx.get(f"{docker_box.url}/{target}", headers=headers)
    cookie = first.headers["set-cookie"].partition(";")[0]
    session = httpx.get(f"{docker_box.url}/api/auth/session", headers={**headers, "Cookie": cookie})
    second = httpx.get(f"{docker_box.url}/{target}", headers=headers)

    assert host == f"spunto.localhost:{docker_box.url.rpartition(':')[2]}"
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert "HttpOnly" in first.headers["set-cookie"]
    assert (session.status_code, session.json()["kind"]) == (200, "user")
    assert (second.status_code, second.headers["content-type"]) == (401, "application/problem+json")


def test_the_sign_in_link_is_answered_as_soon_as_it_is_told(tmp_path: Path, docker_url: str) -> None:
    box = box_of(tmp_path, port=free_port(), environment={"DOCKER_HOST": docker_url})
    with ended([box.up]), cleared_away(docker_url, box.data_dir / "agent" / "token"):
        box.up.start()
        host, _, target = told_link(box).removeprefix("http://").partition("/")

        assert httpx.get(f"{box.url}/{target}", headers={"Host": host}).status_code == 303


def told_link(box: Box) -> str:
    """The newest that it printed."""

    def told() -> list[str]:
        return re.findall(r"Sign in +(\S+)", box.up.log.read_text())

    return wait_until(told, seconds=30, what=f"a sign-in link\n{box.up.tail()}")[-1]


def test_another_sign_in_link_is_to_be_had_while_the_box_runs(docker_box: Box) -> None:
    link = docker_box.cli.run("db", "sign-in-link", SPUNTO_DATA_DIR=str(docker_box.data_dir)).out.strip()
    host, _, target = link.removeprefix("http://").partition("/")

    answer = httpx.get(f"{docker_box.url}/{target}", headers={"Host": host})

    assert host == f"spunto.localhost:{docker_box.url.rpartition(':')[2]}"
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_second_up_on_the_same_directory_says_so(docker_box: Box) -> None:
    done = docker_box.cli.run("up", "--port", "1", "--data-dir", str(docker_box.data_dir), code=78)

    assert done.err == (
        f"spunto: another `spunto up` runs on {docker_box.data_dir}; stop it, or take another --data-dir\n"
    )


def test_an_up_on_a_taken_port_says_so_and_changes_nothing(docker_box: Box, tmp_path: Path) -> None:
    port = docker_box.url.rpartition(":")[2]

    done = docker_box.cli.run("up", "--port", port, "--data-dir", str(tmp_path), code=78)

    assert done.err == f"spunto: can't listen on 127.0.0.1:{port} ([Errno 98] Address already in use)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_person_who_comes_by_the_machine_s_address_is_led_to_the_name_of_the_box(docker_box: Box) -> None:
    port = docker_box.url.rpartition(":")[2]
    people, program = {"Accept": "text/html"}, {"Authorization": f"Bearer {docker_box.token}"}

    led = httpx.get(f"{docker_box.url}/api/docs?x=1", headers=people)
    told = httpx.get(f"{docker_box.url}/api/orgs", headers={**program, "Host": f"localhost:{port}"})

    assert (led.status_code, led.headers["location"]) == (302, f"http://spunto.localhost:{port}/api/docs?x=1")
    assert "set-cookie" not in led.headers
    assert told.status_code == 200


def test_a_terminal_takes_the_name_that_people_use(docker_box: Box) -> None:
    url = f"http://spunto.localhost:{docker_box.url.rpartition(':')[2]}"

    docker_box.cli.run("login", "--url", url, "--token-file", str(docker_box.token_file))

    assert docker_box.cli.run("org", "list").code == 0
    docker_box.cli.run("login", "--url", docker_box.url, "--token-file", str(docker_box.token_file))


@pytest.mark.parametrize("module", ["spunto_agent", "spunto.entrypoints.edge.main", "spunto.entrypoints.serve"])
def test_a_killed_process_is_started_again_and_all_converges(docker_box: Box, module: str) -> None:
    before = docker_box.worker_is("hello-1", "ready")
    killed = docker_box.pid_of(module)

    os.kill(killed, signal.SIGKILL)

    wait_until(lambda: docker_box.pid_of(module) != killed, seconds=10, what=f"another {module}")
    docker_box.wait_ready()
    assert docker_box.worker_is("hello-1", "ready")["containerId"] == before["containerId"]
    docker_box.cli.run("worker", "spawn", "hello", "--name", f"after-{module.rpartition('.')[2]}")


def test_a_shell_outlives_whoever_brings_it_and_says_so_when_it_can_not(docker_box: Box) -> None:
    with docker_box.cli.on_a_terminal("worker", "shell", "hello-1", "--name", "kept") as terminal:
        terminal.until("$ ")
        terminal.type("variable=kept\r")
        terminal.until("$ ")
        for module in ("spunto_agent", "spunto.entrypoints.edge.main", "spunto.entrypoints.serve"):
            os.kill(docker_box.pid_of(module), signal.SIGKILL)
            terminal.until("attached again")
            terminal.type(f"echo $variable-{module}\r")
            terminal.until(f"\rkept-{module}")
        with docker_box.cli.on_a_terminal("worker", "attach", "hello-1", "kept") as other:
            other.type("echo $variable-elsewhere\r")
            other.until("\rkept-elsewhere")
            terminal.until("\rkept-elsewhere")
            listed = docker_box.cli.run("worker", "terminals", "hello-1", "--json").json()
            assert [(each["name"], each["viewers"]) for each in listed["items"]] == [("kept", 2)]
        os.kill(docker_box.pid_of("spunto_agent.holder"), signal.SIGKILL)
        terminal.until("The terminal was lost on its node")
    docker_box.wait_ready()
    assert docker_box.cli.run("worker", "terminals", "hello-1", "--json").json()["items"] == []


def test_an_end_leaves_containers_and_the_next_start_takes_them_over(docker_box: Box) -> None:
    before = docker_box.worker_is("hello-1", "ready")

    exit_code = docker_box.up.stop()
    ended_at = time.monotonic()
    docker_box.up.start()
    docker_box.wait_ready()

    after = docker_box.worker_is("hello-1", "ready")
    assert (exit_code, after["containerId"]) == (0, before["containerId"])
    assert time.monotonic() - ended_at < SECOND_START_SECONDS
    assert docker_box.cli.run("worker", "exec", "hello-1", "--", "cat", "/proc/1/comm").code == 0


def test_settings_that_can_t_be_are_told_in_one_line(tmp_path: Path) -> None:
    box = box_of(tmp_path, port=9, environment={"SPUNTO_LOG_LEVEL": "loud"})

    box.up.start()

    assert box.up.wait(seconds=20) == 78
    assert (
        box.up.log.read_text() == "spunto: settings: log_level: Input should be 'debug', 'info', 'warning' or 'error'\n"
    )
