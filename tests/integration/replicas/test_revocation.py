"""Two servers on one database: what is revoked at one of them loses its reach at the other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fixtures.live import Live, live_server
from tests.fixtures.processes import Server, running_server
from tests.fixtures.waiting import wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.postgres

HTTP_SECONDS = 1.0
OPEN_SECONDS = 5.0
IMAGE = "localhost/spunto/worker:1"


@pytest.fixture
def other(postgres_database: str, tmp_path: Path) -> Iterator[Server]:
    """The replica at which keys are revoked."""
    with running_server(tmp_path / "other", database_url=postgres_database) as server:
        yield server


@pytest.fixture
def here(postgres_database: str, tmp_path: Path, other: Server) -> Iterator[Live]:
    """The replica that the key's holder uses, and that the node is connected to."""
    keyring = other.data_dir / "keyring"
    with live_server(tmp_path / "here", database_url=postgres_database, keyring=keyring) as live:
        yield live


def test_a_key_revoked_at_one_server_is_refused_at_the_other_and_what_it_opened_there_ends(
    here: Live, other: Server
) -> None:
    org = f"/api/orgs/{here.organization.id}"
    project = asked(here, "POST", f"{org}/projects", {"name": "one", "image": IMAGE})
    workers = f"{org}/projects/{project['id']}/workers"
    worker_id = asked(here, "POST", workers, {})["id"]
    wait_until(
        lambda: asked(here, "GET", f"{workers}/{worker_id}")["state"] == "ready", seconds=20, what="the worker is ready"
    )
    scopes = ["org:read", "workers:exec"]
    key = asked(here, "POST", f"{org}/api-keys", {"name": "CI", "ownerType": "user", "scopes": scopes})
    bearer = {"Authorization": f"Bearer {key['token']}"}
    terminal_url = f"{here.url.replace('http', 'ws', 1)}/api/workers/{worker_id}/terminal"

    with (
        httpx.Client(base_url=here.url, headers=bearer, timeout=OPEN_SECONDS) as holder,
        connect(terminal_url, additional_headers=bearer) as terminal,
        events(holder, org) as following,
    ):
        terminal.recv(timeout=OPEN_SECONDS)
        # Remembered by this server from now on.
        assert holder.get(workers).status_code == 200
        revoked = httpx.delete(
            f"{other.url}{org}/api-keys/{key['id']}", headers={"Authorization": f"Bearer {other.owner_token}"}
        )
        revoked_at = time.monotonic()
        wait_until(lambda: holder.get(workers).status_code == 401, seconds=HTTP_SECONDS, what="the key is refused")
        code = close_code(terminal, until=revoked_at + OPEN_SECONDS)
        for _ in following:
            assert time.monotonic() < revoked_at + OPEN_SECONDS, "the events go on"
        took_seconds = time.monotonic() - revoked_at

    assert (revoked.status_code, code) == (204, 4401)
    assert took_seconds < OPEN_SECONDS


def asked(live: Live, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(method, f"{live.url}{path}", json=body, headers=live.bearer)
    return answer.raise_for_status().json()


@contextmanager
def events(holder: httpx.Client, org: str) -> Iterator[Iterator[bytes]]:
    """What is told from now on, in pieces."""
    with holder.stream("GET", f"{org}/events") as answer:
        pieces = answer.raise_for_status().iter_raw()
        assert next(pieces).startswith(b"retry: ")
        yield pieces


def close_code(terminal: ClientConnection, *, until: float) -> int | None:
    """Of the close frame that the server sends. Raises TimeoutError."""
    try:
        while True:
            terminal.recv(timeout=until - time.monotonic())
    except ConnectionClosed as error:
        return None if error.rcvd is None else error.rcvd.code
