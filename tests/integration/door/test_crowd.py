"""Sockets that say nothing take nobody's place."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from tests.fixtures.processes import Server, ended, server_of
from tests.fixtures.waiting import wait_until
from tests.integration.door.raw import asked

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
DESCRIPTORS = 256


@pytest.fixture(scope="module")
def cramped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may open only few files."""
    server = server_of(Path(tmp_path_factory.mktemp("cramped")))
    server.command = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", *server.command]
    with ended([server]):
        server.start()
        server.wait_ready()
        yield server


def test_a_connection_whose_client_left_is_let_go_at_once(cramped: Server) -> None:
    process = psutil.Process(cramped.pid)
    before = process.num_fds()

    for _ in range(50):
        assert asked(cramped.url, HEALTH)

    wait_until(lambda: process.num_fds() < before + 10, seconds=5, what="the connections to be let go")


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nA: ", b"POST /api/orgs HTTP/1.1\r\nHost: a\r\n"])
def test_silent_sockets_take_nobody_s_place(cramped: Server, said: bytes) -> None:
    place = urlsplit(cramped.url)
    with ExitStack() as stack:
        for _ in range(3 * DESCRIPTORS):
            silent = stack.enter_context(socket.create_connection((place.hostname or "", place.port or 80)))
            silent.sendall(said)

        answers = [asked(cramped.url, HEALTH) for _ in range(20)]

        assert [answer and answer.status for answer in answers] == [200] * 20
        assert cramped.is_ready
    log = cramped.log.read_text()
    assert "connections_scarce" in log
    assert len(log) < 20_000
