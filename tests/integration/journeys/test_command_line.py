"""The command line against a real box: what people type, from the first project to the last destroy."""

import json
import re
from collections.abc import Iterator

import pytest
from tests.fixtures.waiting import wait_until
from tests.integration.journeys.boxes import Box

from spunto.core.workers import listening

pytestmark = pytest.mark.docker

SMALLEST = ("--image", "localhost/spunto/busybox:1", "--cpus", "0.05", "--memory", "16MiB")


@pytest.fixture(scope="module")
def box(docker_box: Box) -> Box:
    """Its project `smallest` makes the smallest of workers."""
    docker_box.cli.run("project", "create", "smallest", *SMALLEST)
    docker_box.worker_is("hello-1", "ready")
    return docker_box


@pytest.fixture
def worker(box: Box, request: pytest.FixtureRequest) -> Iterator[str]:
    """A ready worker of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:40].strip("-")
    box.cli.run("worker", "spawn", "smallest", "--name", name, "--json")
    yield name
    box.cli.run("worker", "destroy", name, "--json")


def test_a_worker_lives_from_spawn_to_destroy(box: Box) -> None:
    spawned = box.cli.run("worker", "spawn", "smallest", "--name", "life")
    assert spawned.out == "Worker life is ready.\n"
    stages = [line.rpartition(" (")[0] for line in spawned.err.splitlines()]
    assert (stages[0], stages[-1]) == ("life: spawning", "life: ready")

    explained = box.cli.run("worker", "show", "life", "--explain").out
    assert re.search(r"^blocking: +nothing$", explained, re.MULTILINE)

    assert box.cli.run("worker", "rename", "life", "new-life").out == "The worker is called new-life now.\n"
    assert box.cli.run("worker", "stop", "new-life").out == "Worker new-life is stopped.\n"
    assert box.worker_is("new-life", "stopped")["dockerState"] == "stopped"
    assert box.cli.run("worker", "start", "new-life").out == "Worker new-life is ready.\n"
    assert box.cli.run("worker", "destroy", "new-life").out == "Worker new-life is gone.\n"
    box.cli.run("worker", "show", "new-life", code=3)


def test_a_command_s_input_output_and_exit_code_pass_through(box: Box, worker: str) -> None:
    script = "cat; echo error >&2; exit 7"

    done = box.cli.run("worker", "exec", "-i", worker, "--", "sh", "-c", script, stdin="grüß dich\n", code=7)

    assert (done.out, done.err) == ("grüß dich\n", "error\n")


def test_any_bytes_pass_through_a_command(box: Box, worker: str) -> None:
    sent = bytes(range(256)) * 1000

    assert box.cli.run_on_bytes("worker", "exec", "-i", worker, "--", "cat", stdin=sent) == sent


def test_more_input_than_a_command_can_be_given_is_told(box: Box, worker: str) -> None:
    done = box.cli.run("worker", "exec", "-i", worker, "--", "true", stdin="\u8a9e" * 400_000, code=2)

    assert "524288" in done.err


def test_a_shell_ends_with_its_input(box: Box, worker: str) -> None:
    for _ in range(4):
        box.cli.run("worker", "shell", worker, stdin="")


def test_what_is_nowhere_else_is_counted_and_what_is_not_known_is_told(box: Box, worker: str) -> None:
    script = (
        "cd /workspace && git init -q ours && cd ours && seq 3000 | xargs touch"
        " && git init -q ../broken && echo x >../broken/.git/index"
    )
    box.cli.run("worker", "exec", "hello-1", "--", "sh", "-c", script)

    shown = box.cli.run("worker", "git-status", "hello-1", code=1)
    found = box.cli.run("worker", "git-status", "hello-1", "--json", code=1).json()

    box.cli.run("worker", "exec", "hello-1", "--", "rm", "-rf", "/workspace/ours", "/workspace/broken")
    without_git = box.cli.run("worker", "git-status", worker, code=5)

    assert "git" in without_git.err
    broken, ours = found["repos"]
    assert (set(broken), ours["untracked"], found["truncated"]) == ({"path", "error"}, 3000, False)
    assert re.search(r"^/workspace/broken +\? ", shown.out, re.MULTILINE)


def test_a_shell_on_a_terminal(box: Box) -> None:
    with box.cli.on_a_terminal("worker", "shell", "hello-1") as terminal:
        terminal.until("$ ")
        terminal.type("stty size\r")
        terminal.until("24 80\r\n")
        terminal.resize(cols=132, rows=43)
        terminal.type("while ! stty size | grep 43; do :; done\r")
        terminal.until("43 132\r\n")
        terminal.type("echo to''gether; exit 9\r")
        terminal.until("together\r\n")
        assert terminal.exit_code() == 9


def test_what_is_typed_ahead_reaches_the_shell(box: Box, worker: str) -> None:
    with box.cli.on_a_terminal("worker", "shell", worker) as terminal:
        terminal.type("echo a''head; exit 3\r")
        terminal.until("ahead\r\n")
        assert terminal.exit_code() == 3


def test_a_log_is_read_and_followed(box: Box, worker: str) -> None:
    def write(line: str) -> None:
        box.cli.run("worker", "exec", worker, "--", "sh", "-c", f"echo {line} >/proc/1/fd/1")

    write("first")
    # It goes through the engine's own files.
    wait_until(lambda: box.cli.run("worker", "logs", worker).out == "first\n", seconds=10, what="the first line")
    with box.cli.piped("worker", "logs", "-f", worker) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "first\n"
        write("second")
        assert following.stdout.readline() == "second\n"
    entry = box.cli.run("worker", "logs", worker, "--tail", "1", "--json").json()
    assert (entry["stream"], entry["line"]) == ("stdout", "second")


def listed(box: Box, worker: str) -> list[tuple[int, str]]:
    items = box.cli.run("worker", "ports", worker, "--json").json()["items"]
    return [(each["port"], each["process"]) for each in items]


def test_a_listener_is_found_and_nothing_of_the_engine_s(box: Box) -> None:
    box.cli.run("worker", "exec", "hello-1", "--", "sh", "-c", "setsid python3 -m http.server 8123 >/dev/null 2>&1 &")

    found = wait_until(lambda: listed(box, "hello-1"), seconds=10, what="the listener is listed")
    by_ss = listening.parse(box.cli.run("worker", "exec", "hello-1", "--", *listening.COMMAND).out)

    assert found == [(each.port, each.process) for each in by_ss] == [(8123, "python3")]


def test_a_listener_is_found_in_an_image_that_has_no_program_for_it(box: Box, worker: str) -> None:
    box.cli.run("worker", "exec", worker, "--", "ss", code=127)
    serving = "setsid nc -l -p 8123 </dev/null >/dev/null 2>&1 &"
    box.cli.run("worker", "exec", worker, "--", "sh", "-c", serving)

    assert wait_until(lambda: listed(box, worker), seconds=10, what="the listener is listed") == [(8123, "nc")]


def test_a_port_is_opened_and_shared_and_its_worker_kept_awake(box: Box, worker: str) -> None:
    opened = box.cli.run("worker", "open", worker, "3000").out.strip()
    shared = box.cli.run("worker", "share", worker, "3000", "org", "--json").json()
    link = box.cli.run("worker", "share", worker, "3000", "--link", "--for", "60").out.strip()
    kept = box.cli.run("worker", "keep-alive", worker, "--for", "60", "--json").json()

    assert "-3000.w.localhost" in opened
    assert shared == {"port": 3000, "sharing": "org", "url": opened}
    assert link.startswith(f"{opened}/.spunto/link?token=")
    assert kept["lastActivity"]["source"] == "keep-alive"
    assert opened.replace("-3000.", "-{port}.") in box.cli.run("worker", "show", worker).out


def test_every_command_speaks_json(box: Box, worker: str) -> None:
    commands = (
        ("config",),
        ("org", "list"),
        ("org", "show", "default"),
        ("org", "members"),
        ("node", "list"),
        ("node", "show", "local"),
        ("node", "inventory", "local"),
        ("project", "list"),
        ("project", "show", "smallest"),
        ("project", "versions", "smallest"),
        ("worker", "list"),
        ("worker", "show", worker, "--explain"),
        ("worker", "stats", worker),
        ("worker", "exec", worker, "--", "true"),
    )

    answers = [box.cli.run(*command[:2], "--json", *command[2:]) for command in commands]

    assert [(type(done.json()), done.err) for done in answers] == [(dict, "")] * len(commands)


def test_nodes_and_projects_are_marked_and_found(box: Box) -> None:
    def found(kind: str, *asked: str) -> list[str]:
        return [each["name"] for each in box.cli.run(kind, "list", "--json", *asked).json()["items"]]

    box.cli.run("project", "create", "marked", *SMALLEST, "--tag", "ci", "--tag", "keep")
    box.cli.run("node", "update", "local", "--tag", "ci")

    assert (found("project", "--tag", "keep"), found("project", "--name", "smallest")) == (["marked"], ["smallest"])
    assert (found("node", "--tag", "ci", "--status", "online"), found("node", "--tag", "keep")) == (["local"], [])
    assert "Project marked is at v1." in box.cli.run("project", "update", "marked", "--tag", "ci").out
    assert (found("project", "--tag", "keep"), found("project", "--tag", "ci")) == ([], ["marked"])
    box.cli.run("project", "update", "marked", "--no-tags")
    box.cli.run("node", "update", "local", "--no-tags")
    assert (found("project", "--tag", "ci"), found("node", "--tag", "ci")) == ([], [])


def test_exit_codes_tell_failures_apart(box: Box, worker: str) -> None:
    def code_of(code: int, *command: str, **environment: str) -> object:
        return json.loads(box.cli.run(*command, "--json", code=code, **environment).err)["code"]

    box.cli.run("project", "create", "huge", "--cpus", "4000")

    assert code_of(2, "worker", "spawn", "--bogus") == "usage"
    assert code_of(3, "worker", "show", "nobody") == "worker_not_found"
    assert code_of(4, "org", "list", SPUNTO_TOKEN="sps_wrong") == "credential_not_good"
    assert code_of(5, "worker", "spawn", "huge") == "no_node_available"
    assert code_of(6, "org", "list", SPUNTO_URL="http://127.0.0.1:9", SPUNTO_TOKEN="x") == "server_unreachable"
    box.cli.run("worker", "exec", worker, "--timeout", "0.3", "--", "sleep", "60", code=124)
