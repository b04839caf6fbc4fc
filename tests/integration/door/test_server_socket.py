"""A server behind an edge of the same machine: it listens on a Unix socket and believes what comes by it."""

import stat
from pathlib import Path

import httpx
import pytest
from tests.fixtures.processes import ended, server_of
from tests.fixtures.waiting import wait_until


@pytest.mark.long
def test_a_server_serves_its_owner_on_a_unix_socket_in_the_place_of_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "run" / "server.sock"
    server = server_of(tmp_path / "data", environment={"SPUNTO_SOCKET": str(path)})

    with ended([server]):
        for begun in (1, 2):
            server.kill()
            server.start()
            wait_until(lambda: server.tail().count('"listening"') == begun, seconds=30, what=server.tail())  # noqa: B023
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url=server.url) as client:
            session = client.get("/api/auth/session", headers={"Authorization": f"Bearer {server.owner_token}"})
        mode = stat.S_IMODE(path.stat().st_mode)

    assert (mode, session.status_code) == (0o600, 200)


def test_a_second_server_on_the_socket_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    first = server_of(tmp_path / "first", environment={"SPUNTO_SOCKET": str(path)})
    second = server_of(tmp_path / "second", environment={"SPUNTO_SOCKET": str(path)})

    with ended([first, second]):
        first.start()
        wait_until(path.exists, seconds=30, what=first.tail())
        wait_until(lambda: "listening" in first.tail(), seconds=30, what=first.tail())
        second.start()
        code = second.wait(seconds=30)

    assert (code, f"another server listens on {path}" in second.tail()) == (78, True)
