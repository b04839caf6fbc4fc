"""`spunto port-forward` on a real box: bytes of any protocol to a worker's ports and back."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.integration.journeys.boxes import Box
from tests.integration.journeys.command_line import CommandLine

WORKER: Final = "forwarded"
HTTP, LOOPBACK, ECHO, SILENT = 8000, 8001, 7000, 9
SIZE_BYTES: Final = 100_000_000
PIECE_BYTES: Final = 2**20
SECONDS: Final = 60.0
# What is promised; and what a busy machine may need to tell the key's holder.
REVOKED_SECONDS: Final = 5.0
BUSY_SECONDS: Final = 1.0
# What ends with its connection's input, as `cat` does, shows that each direction ends by itself.
SERVERS: Final = (
    # Long enough to be seen starting.
    "sleep 1; mkdir -p /tmp/www && echo found >/tmp/www/index.html && setsid httpd -p 8000 -h /tmp/www; "
    "setsid httpd -p 127.0.0.1:8001 -h /tmp/www; "
    "setsid nc -ll -p 7000 -e cat >/dev/null 2>&1 &"
)


LIMITS: Final = ("--cpus", "0.5", "--memory", "64MiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """`local` are this machine's ports, by the worker's."""

    process: "subprocess.Popen[str]"
    local: dict[int, int]

    def said(self, text: str) -> str:
        """The first line for people that has it; those before it are dropped."""
        assert self.process.stderr is not None
        return next(line for line in self.process.stderr if text in line)


@contextmanager
def forwarding(cli: CommandLine, *remote: int, worker: str = WORKER) -> Iterator[Forwarding]:
    wanted = [f"0:{each}" for each in remote]
    with cli.piped("port-forward", worker, *wanted, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in remote]
        assert all(lines), process.stderr.read()
        local = [int(line.removeprefix("127.0.0.1:").partition(" ")[0]) for line in lines]
        yield Forwarding(process=process, local=dict(zip(remote, local, strict=True)))


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)],
    scope="module",
)
def box(request: pytest.FixtureRequest) -> Box:
    """With a worker that serves."""
    box: Box = request.getfixturevalue(f"{request.param}_box")
    box.cli.run(
        "project", "create", "served", "--image", "localhost/spunto/busybox:1", *LIMITS, "--post-start", SERVERS
    )
    box.cli.run("worker", "spawn", "served", "--name", WORKER)
    return box


def echoed(port: int, sent: bytes) -> bytes:
    """All that comes back, up to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection, ThreadPoolExecutor(1) as thread:
        sending = thread.submit(send_all, connection, sent)
        received = bytearray()
        while data := connection.recv(PIECE_BYTES):
            received += data
        sending.result()
    return bytes(received)


def send_all(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def got(port: int) -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", "40", f"http://127.0.0.1:{port}/"]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout


def test_requests_and_raw_bytes_go_through_at_once(box: Box) -> None:
    sent = os.urandom(SIZE_BYTES)

    with forwarding(box.cli, HTTP, LOOPBACK, ECHO) as forwarded, ThreadPoolExecutor(3) as threads:
        page = threads.submit(got, forwarded.local[HTTP])
        own = threads.submit(got, forwarded.local[LOOPBACK])
        small = threads.submit(echoed, forwarded.local[ECHO], b"\x00one\n")
        back = echoed(forwarded.local[ECHO], sent)

    assert (page.result(), own.result(), small.result()) == ("found\n", "found\n", b"\x00one\n")
    assert hashlib.sha256(back).digest() == hashlib.sha256(sent).digest()


def test_a_silent_port_is_told_and_the_others_go_on(box: Box) -> None:
    with forwarding(box.cli, SILENT, ECHO) as forwarded:
        told_at_first = forwarded.said("port 9")
        with pytest.raises(OSError), ExitStack() as stack:  # noqa: PT012 - cut off, sooner or later
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", forwarded.local[SILENT])))
            connection.settimeout(SECONDS)
            connection.recv(1)
        told = forwarded.said("port 9")
        others = echoed(forwarded.local[ECHO], b"one")

    assert "nothing listens on its port 9" in told_at_first
    assert told == told_at_first
    assert others == b"one"


def test_a_stopped_worker_starts_by_it_and_is_shown_coming(box: Box) -> None:
    box.cli.run("worker", "stop", WORKER)

    with forwarding(box.cli, HTTP) as forwarded:
        told = forwarded.said(WORKER)
        page = got(forwarded.local[HTTP])

    # Podman may have started it before anybody looks; then it is still set up.
    assert told.startswith((f"{WORKER}: starting", f"{WORKER}: ready · lifecycle"))
    assert page == "found\n"


def test_ctrl_c_ends_it_with_what_is_open(box: Box) -> None:
    with (
        forwarding(box.cli, ECHO) as forwarded,
        socket.create_connection(("127.0.0.1", forwarded.local[ECHO])) as connection,
    ):
        connection.settimeout(SECONDS)
        connection.sendall(b"one")
        assert connection.recv(3) == b"one"

        forwarded.process.send_signal(signal.SIGINT)

        assert forwarded.process.wait(timeout=SECONDS) == 130
        assert forwarded.process.stderr is not None
        assert forwarded.process.stderr.read() == ""


def test_it_ends_with_the_key_that_it_lives_on(box: Box, tmp_path: Path) -> None:
    scopes = [f"--scope={each}" for each in ("projects:read", "workers:read", "workers:exec")]
    key = box.cli.run("key", "create", "forward", *scopes, "--json").json()
    token_file = tmp_path / "token"
    token_file.write_text(key["token"])
    keyed = CommandLine(home=tmp_path / "home")
    keyed.run("login", "--url", box.url, "--token-file", str(token_file))

    with forwarding(keyed, ECHO) as forwarded, socket.create_connection(("127.0.0.1", forwarded.local[ECHO])) as open_:
        open_.settimeout(SECONDS)
        open_.sendall(b"one")
        assert open_.recv(3) == b"one"
        box.cli.run("key", "revoke", key["id"])
        revoked_at = time.monotonic()
        with pytest.raises(ConnectionResetError):
            open_.recv(1)
        seconds = time.monotonic() - revoked_at
        told = forwarded.said("not yours")

    assert seconds < REVOKED_SECONDS + BUSY_SECONDS
    assert "The port is not yours to use any more." in told


def test_a_worker_that_is_gone_is_told_and_what_was_open_ends(box: Box) -> None:
    box.cli.run("worker", "spawn", "served", "--name", "gone")

    with (
        forwarding(box.cli, ECHO, worker="gone") as forwarded,
        socket.create_connection(("127.0.0.1", forwarded.local[ECHO])) as connection,
    ):
        connection.settimeout(SECONDS)
        connection.sendall(b"one")
        assert connection.recv(3) == b"one"
        box.cli.run("worker", "destroy", "gone", "--yes")
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        with pytest.raises(OSError), ExitStack() as stack:  # noqa: PT012 - cut off, sooner or later
            late = stack.enter_context(socket.create_connection(("127.0.0.1", forwarded.local[ECHO])))
            late.settimeout(SECONDS)
            late.sendall(b"two")
            late.recv(1)
        told = forwarded.said("No worker has this address")

    assert "it may have been destroyed" in told


def test_what_can_t_be_is_told_at_once(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        done = box.cli.run("port-forward", WORKER, f"{taken}:{HTTP}", "--json", code=5)

    assert json.loads(done.err)["code"] == "port_taken"
    assert "[LOCAL:]REMOTE" in box.cli.run("port-forward", WORKER, "x", code=2).err
    assert box.cli.run("port-forward", "nobody", "80", code=3).out == ""
