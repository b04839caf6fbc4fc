"""A request is handled in the task that brought it, and no longer than its client stays."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart import Quart, request
from quart.sessions import SecureCookieSessionInterface
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.exceptions import BadRequestKeyError

from spunto.entrypoints.http.application import Application
from spunto.entrypoints.http.connection import HttpConnection
from spunto.entrypoints.serving.answers import WHOLE

NO_BODY: list[tuple[bytes, bytes]] = []
A_BODY = [(b"content-length", b"2")]


class Wire:
    """One request and its answer, as an ASGI server has them."""

    def __init__(self, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        self.scope: Any = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "extensions": {},
        }
        self.coming: asyncio.Queue[Any] = asyncio.Queue()
        self.coming.put_nowait({"type": "http.request", "body": b"{}" if headers else b"", "more_body": False})
        self.sent: list[Any] = []

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def of(self, app: Application) -> None:
        await HttpConnection(app, self.scope)(self.coming.get, self.send)


@pytest.fixture
def app() -> Application:
    return Application("test")


async def test_headers_are_found_by_any_spelling_and_missed_without_an_error(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an error page is made of a header that nobody sent")

    @app.get("/")
    async def look() -> list[str | int | None]:
        headers = request.headers
        return [
            headers.get("x-GIVEN"),
            headers.get("X-Given", type=int),
            headers.get("X-Other", "-"),
            headers.get("X"),
        ] + [name in headers for name in ("x-given", "X-Other")]

    monkeypatch.setattr(BadRequestKeyError, "__init__", refuse)
    wire = Wire("GET", "/", [(b"x-given", b"7"), (b"content-length", b"2")])
    wire.scope["extensions"] = {WHOLE: {}}

    await wire.of(app)

    assert json.loads(wire.sent[0][WHOLE]) == ["7", 7, "-", None, True, False]


@pytest.mark.parametrize("extensions", [{}, {WHOLE: {}}])
async def test_an_answer_is_one_message_where_the_server_takes_it_whole(
    app: Application, extensions: dict[str, Any]
) -> None:
    @app.get("/")
    async def hello() -> str:
        return "hello"

    wire = Wire("GET", "/", NO_BODY)
    wire.scope["extensions"] = extensions

    await wire.of(app)

    start, *rest = wire.sent
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert (b"content-length", b"5") in start["headers"]
    if extensions:
        assert (start[WHOLE], rest) == (b"hello", [])
    else:
        assert rest == [{"type": "http.response.body", "body": b"hello", "more_body": False}]


async def test_an_answer_that_comes_in_pieces_is_sent_in_pieces(app: Application) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    @app.get("/")
    async def answer() -> AsyncIterator[bytes]:
        return pieces()

    wire = Wire("GET", "/", NO_BODY)
    wire.scope["extensions"] = {WHOLE: {}}

    await wire.of(app)

    assert [message.get("body") for message in wire.sent] == [None, b"a", b"b", b""]
    assert not any(WHOLE in message for message in wire.sent)


@pytest.mark.parametrize(("method", "headers"), [("GET", NO_BODY), ("POST", A_BODY), ("POST", NO_BODY)])
async def test_who_leaves_is_not_worked_for_any_more(
    app: Application, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    begun, broken_off = asyncio.Event(), asyncio.Event()

    @app.route("/", methods=["GET", "POST"])
    async def wait() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            broken_off.set()
            raise
        return ""

    wire = Wire(method, "/", headers)
    async with asyncio.timeout(5) as patience:
        asked = asyncio.ensure_future(wire.of(app))
        await begun.wait()
        wire.coming.put_nowait({"type": "http.disconnect"})
        await asked

    assert broken_off.is_set()
    assert not patience.expired()
    assert wire.sent == []


async def test_a_server_that_breaks_a_request_off_is_not_taken_for_its_client(app: Application) -> None:
    begun = asyncio.Event()

    @app.get("/")
    async def wait() -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    asked = asyncio.ensure_future(Wire("GET", "/", NO_BODY).of(app))
    await begun.wait()
    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_each_request_has_arguments_of_its_own(app: Application) -> None:
    seen = []

    @app.get("/<name>")
    async def show(name: str, **more: object) -> str:
        seen.append((name, more))
        return name

    @app.before_request
    async def add() -> None:
        assert request.view_args is not None
        assert "extra" not in request.view_args
        request.view_args["extra"] = len(seen)

    for path in ("/a", "/b", "/a"):
        await Wire("GET", path, NO_BODY).of(app)

    assert seen == [("a", {"extra": 0}), ("b", {"extra": 1}), ("a", {"extra": 2})]


async def test_no_session_is_opened_for_a_request(app: Application) -> None:
    opened: list[object] = []

    class Counting(SecureCookieSessionInterface):
        async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> None:
            opened.append(request)

    @app.get("/")
    async def answer() -> str:
        return "here"

    app.session_interface = Counting()
    wire = Wire("GET", "/", NO_BODY)
    await wire.of(app)

    assert (wire.sent[0]["status"], opened) == (200, [])
