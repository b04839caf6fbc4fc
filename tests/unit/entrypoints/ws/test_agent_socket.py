"""An agent's socket as the protocol's transport, and the door before the application."""

import asyncio
from typing import Any

import pytest
from quart import Quart
from tests.unit.entrypoints.http.house import build_house
from tests.unit.entrypoints.ws.visitor import Visitor

from spunto.core.kernel.secret import Secret
from spunto.core.protocol.transport import Transport, TransportClosed
from spunto.entrypoints.ws.agent_doors import PATH
from spunto.entrypoints.ws.agents import agents_blueprint
from spunto.entrypoints.ws.asgi_socket import AsgiSocket
from spunto.entrypoints.ws.sockets import Sockets


def a_socket(*events: Any) -> tuple[AsgiSocket, list[Any]]:
    """A socket to which these come in, and what it sends."""
    coming = iter(events)
    sent: list[Any] = []

    async def receive() -> Any:
        return next(coming)

    async def send(event: Any) -> None:
        sent.append(event)

    return AsgiSocket(receive, send), sent


async def test_text_and_bytes_come_and_go_as_they_are() -> None:
    socket, sent = a_socket(
        {"type": "websocket.receive", "bytes": None, "text": ""},
        {"type": "websocket.receive", "bytes": b"", "text": None},
    )

    for _ in range(2):
        await socket.send(await socket.receive())

    assert [(event["text"], event["bytes"]) for event in sent] == [("", None), (None, b"")]


async def test_nothing_goes_through_a_socket_that_the_agent_has_left() -> None:
    socket, sent = a_socket({"type": "websocket.disconnect", "code": 1006})

    for use in (socket.receive, lambda: socket.send("late")):
        with pytest.raises(TransportClosed) as gone:
            await use()
        assert gone.value.code == 1006
    await socket.close(1000, "")

    assert sent == []


async def test_a_socket_is_closed_once_and_then_sends_nothing() -> None:
    socket, sent = a_socket()

    await socket.close(1013, "busy")
    await socket.close(1000, "")

    with pytest.raises(TransportClosed):
        await socket.send("late")
    assert sent == [{"type": "websocket.close", "code": 1013, "reason": "busy"}]


@pytest.mark.parametrize("target", [PATH, f"http://example.org{PATH}"])
async def test_the_gateway_gets_the_token_of_whoever_is_let_in(target: str) -> None:
    tokens: list[str] = []

    class Gateway:
        async def serve(self, transport: Transport, token: Secret) -> None:
            tokens.append(token.reveal())
            await transport.close(1000, "seen")

    app = Quart(__name__)
    app.register_blueprint(agents_blueprint(build_house().gate, Gateway(), Sockets()))  # type: ignore[arg-type]  # all that is asked of it

    async with Visitor(app, target, {"Authorization": "Bearer of-the-node"}) as visitor:
        await visitor.accepted()
        assert await visitor.close_code() == 1000

    assert tokens == ["of-the-node"]


async def test_whoever_left_before_the_upgrade_is_served_by_nobody() -> None:
    app = Quart(__name__)
    app.register_blueprint(agents_blueprint(build_house().gate, object(), Sockets()))  # type: ignore[arg-type]  # it is never asked
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(event: Any) -> None:
        sent.append(event)

    scope: Any = {
        "type": "websocket",
        "path": PATH,
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer of-the-node")],
        "state": {},
    }
    async with asyncio.timeout(10):
        await app(scope, receive, send)

    assert sent == []
