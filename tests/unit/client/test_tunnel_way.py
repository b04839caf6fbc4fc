"""How a worker's host is dialled: by its own name, or at the server where its name leads nowhere."""

from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close

from spunto.client.client import SpuntoClient
from spunto.client.errors import UnexpectedAnswer
from spunto.client.tunnel import TunnelBroke
from spunto.client.worker_models import Worker

HOST = "worker-1-00000000000000000000000000-3000"


def a_worker(pattern: str) -> Worker:
    known = {"id": "wkr_1", "orgId": "org_1", "projectId": "prj_1", "name": "one", "state": "ready"}
    return Worker.model_validate({**known, "createdAt": "2026-01-01T00:00:00Z", "urls": {"port": pattern}})


class Dialled:
    """Takes down what would be dialled; it answers with the frames, and then is closed like that."""

    def __init__(self, *frames: bytes | str, closed: Close | None = None) -> None:
        self.url = ""
        self.settings: dict[str, Any] = {}
        self._frames = list(frames)
        self._closed = closed

    async def __call__(self, url: str, **settings: Any) -> "Dialled":
        self.url, self.settings = url, settings
        return self

    async def recv(self) -> bytes | str:
        if self._frames:
            return self._frames.pop(0)
        raise self._end

    async def send(self, frame: bytes | str) -> None:
        raise self._end

    @property
    def _end(self) -> ConnectionClosedOK | ConnectionClosedError:
        is_normal = self._closed is not None and self._closed.code == 1000
        return (ConnectionClosedOK if is_normal else ConnectionClosedError)(self._closed, None)


@pytest.mark.parametrize(
    ("server", "pattern", "url", "host", "port"),
    [
        ("http://10.0.0.7:8000", f"http://{HOST}.w.localhost:8000", f"ws://{HOST}.w.localhost:8000", "10.0.0.7", 8000),
        (
            "http://spunto.localhost:8000",
            f"http://{HOST}.w.localhost:8000",
            f"ws://{HOST}.w.localhost:8000",
            "127.0.0.1",
            8000,
        ),
        ("https://box.example", f"http://{HOST}.w.localhost", f"wss://{HOST}.w.localhost", "box.example", 443),
        ("https://box.example", f"https://{HOST}.workers.example", f"wss://{HOST}.workers.example", None, None),
    ],
)
async def test_a_name_below_localhost_is_dialled_where_the_server_is(
    server: str, pattern: str, url: str, host: str | None, port: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    dialled = Dialled()
    async with SpuntoClient(server, "token", connect=dialled) as client:
        await client.workers.tunnel(a_worker(pattern), 3000)

    assert dialled.url == f"{url}/.spunto/tunnel"
    assert (dialled.settings.get("host"), dialled.settings.get("port")) == (host, port)
    assert dialled.settings["additional_headers"] == {"Authorization": "Bearer token"}


async def test_a_token_that_came_safely_is_not_sent_in_clear_text() -> None:
    dialled = Dialled()
    async with SpuntoClient("https://box.example", "token", connect=dialled) as client:
        with pytest.raises(UnexpectedAnswer):
            await client.workers.tunnel(a_worker(f"http://{HOST}.workers.example"), 3000)

    assert dialled.url == ""


async def test_an_end_is_told_from_a_break() -> None:
    dialled = Dialled(b"one", "", closed=Close(4502, "The program broke it off."))
    async with SpuntoClient("http://127.0.0.1:1", "token", connect=dialled) as client:
        tunnel = await client.workers.tunnel(a_worker(f"http://{HOST}.w.localhost"), 3000)

        assert [await tunnel.read(), await tunnel.read()] == [b"one", None]
        with pytest.raises(TunnelBroke, match="The program broke it off"):
            await tunnel.read()


async def test_nobody_minds_an_end_that_comes_when_all_is_over() -> None:
    dialled = Dialled(closed=Close(1000, ""))
    async with SpuntoClient("http://127.0.0.1:1", "token", connect=dialled) as client:
        tunnel = await client.workers.tunnel(a_worker(f"http://{HOST}.w.localhost"), 3000)

        await tunnel.write(b"more")
        await tunnel.write_eof()
