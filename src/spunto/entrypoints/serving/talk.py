"""HTTP/1 as Hypercorn speaks it, but strictly: nothing else is spoken, and each refusal says so as a problem."""

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import h11
import orjson
from hypercorn.events import Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, Response
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from spunto.entrypoints.serving import plain_pages
from spunto.entrypoints.serving.answers import Whole, WholeStream
from spunto.entrypoints.serving.heads import (
    TOO_LARGE,
    UNKNOWN_CODING,
    Fault,
    bad,
    fault_of_bytes,
    fault_of_request,
    glimpse,
)
from spunto.entrypoints.serving.plain_pages import is_for_a_person, refusal_text
from spunto.entrypoints.serving.problems import problem_body

# Our own, where h11 says what it thinks of a request only by a status.
_BY_STATUS: Final = {431: TOO_LARGE, 501: UNKNOWN_CODING}
_PROBLEM: Final = b"application/problem+json"
_WITHOUT_COOKIES: Final = (
    "<p>Mostly that is cookies: remove this site's in your browser's settings, and open the page again.</p>"
)
_FRONT_PAGE: Final = '<p>Go to the <a href="/">front page</a>.</p>'
_UNREADABLE: Final = bad("The request can't be understood.")


class StrictConnection(h11.Connection):
    """h11 reads kindly (bare LF, folded lines, two lengths that agree, heads of any size that came at once)."""

    def __init__(self, *, max_incomplete_event_size: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=max_incomplete_event_size)
        self.fault: Fault | None = None
        self.request: h11.Request | None = None
        self.ended = False

    def next_event(self) -> Any:
        """As h11's; raises RemoteProtocolError, and leaves the `fault`."""
        if self.ended:
            return h11.NEED_DATA
        if self.their_state is h11.IDLE:
            self._require(fault_of_bytes(self.trailing_data[0]))
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.request = event
            headers = list(event.headers)
            self._require(fault_of_request(event.method, event.target, event.http_version, headers))
        return event

    def _require(self, fault: Fault | None) -> None:
        if fault is not None:
            self.fault = fault
            raise h11.RemoteProtocolError(fault.detail, error_status_hint=fault.status)


class Talk(H11Protocol):
    """One connection. Never HTTP/2: Hypercorn goes over to it for whoever asks, and one attacker stalls everybody."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connection: Any = StrictConnection(max_incomplete_event_size=self.config.h11_max_incomplete_size)
        self._refused = False

    @property
    def awaits_client(self) -> bool:
        """Whether it is the client's turn: no request has come whole, and no WebSocket was begun."""
        return self.connection.their_state in (h11.IDLE, h11.SEND_BODY)

    @property
    def was_begun(self) -> bool:
        """Whether a request may be on its way: the first one of the connection, or a head of which some has come."""
        return self.keep_alive_requests == 0 or bool(self.connection.trailing_data[0])

    @property
    def has_more_to_read(self) -> bool:
        """Whether the client may be sending what nobody will look at any more."""
        return self._refused or self.connection.their_state is h11.SEND_BODY

    async def end(self) -> None:
        """Look at nothing any more. Hypercorn would wait for ever before a request that came after the last answer."""
        self.connection.ended = True
        await self.can_read.set()

    async def handle(self, event: Event) -> None:
        if self._refused and isinstance(event, RawData):
            return
        await super().handle(event)

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, Whole):
            await self._answer(event)
            return
        if isinstance(event, Response) and event.status_code >= 200 and self._ends_here():
            event = replace(event, headers=[*_without_connection(event.headers), (b"connection", b"close")])
        await super().stream_send(event)

    async def _answer(self, answer: Whole) -> None:
        """As the parts of an answer one after the other, and the end of its stream."""
        headers = [*answer.headers, *self.config.response_headers("h11")]
        if self._ends_here() or self.keep_alive_requests >= self.config.keep_alive_max_requests:
            headers = [*_without_connection(headers), (b"connection", b"close")]
        events = [h11.Response(status_code=answer.status_code, headers=headers), h11.EndOfMessage()]
        if answer.body:
            events.insert(1, h11.Data(data=answer.body))
        try:
            pieces = [self.connection.send(event) for event in events]
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
        else:
            await self.send(RawData(data=b"".join(pieces)))
        await self._maybe_recycle()

    def _ends_here(self) -> bool:
        """Whether the server stops, or the next request on this connection could not be told from this one's body.

        It can't where the answer came before the whole body. Chunked bodies have no end that all programs agree on.
        """
        if self.context.terminated.is_set():
            return True
        request: h11.Request | None = getattr(self.connection, "request", None)
        if request is None:
            return False
        chunked = any(name == b"transfer-encoding" for name, _ in request.headers)
        return chunked or self.connection.their_state is h11.SEND_BODY

    async def _check_protocol(self, event: h11.Request) -> None:
        pass

    async def _create_stream(self, request: h11.Request) -> None:
        if any(name == b"upgrade" for name, _ in request.headers):
            await super()._create_stream(request)
            return
        around = self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server
        self.stream = WholeStream(*around, self.stream_send, STREAM_ID)
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()

    async def _send_error_response(self, status_code: int) -> None:
        self._refused = True
        fault = getattr(self.connection, "fault", None) or _BY_STATUS.get(status_code, _UNREADABLE)
        kind, body = _page(fault) if self._is_a_person_s() else (_PROBLEM, _problem(fault))
        if self._is_head():
            body = b""
        headers = [
            *fault.headers,
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=fault.status, headers=headers))
        if body:
            await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())

    def _is_a_person_s(self) -> bool:
        """Of what could be read of the request, whose head mostly is still there as it came."""
        request: h11.Request | None = getattr(self.connection, "request", None)
        if request is not None and self.connection.their_state is not h11.IDLE:
            return request.method == b"GET" and is_for_a_person(list(request.headers))
        found = glimpse(self.connection.trailing_data[0])
        return found is not None and found[0][0] == b"GET" and is_for_a_person(found[1])

    def _is_head(self) -> bool:
        request: h11.Request | None = getattr(self.connection, "request", None)
        return request is not None and request.method == b"HEAD" and self.connection.their_state is not h11.IDLE

    async def _close_stream(self) -> None:
        if isinstance(self.stream, HTTPStream):
            _tell_of_end(self.stream)
        await super()._close_stream()


def _page(fault: Fault) -> tuple[bytes, bytes]:
    way = _WITHOUT_COOKIES if fault.status == TOO_LARGE.status else _FRONT_PAGE
    text = refusal_text(fault.code, fault.detail, request_id=secrets.token_hex(16), way=way)
    return plain_pages.TYPE.encode(), text.encode()


def _problem(fault: Fault) -> bytes:
    return orjson.dumps(problem_body(fault.status, fault.code, fault.detail, request_id=secrets.token_hex(16)))


def _without_connection(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() != b"connection"]


def _tell_of_end(stream: HTTPStream) -> None:
    """Hypercorn waits for room in the queue of a handler that may never look into it again, and with it for ever."""
    put = getattr(stream, "app_put", None)
    if put is None or put is _discard:
        return
    queue: Any = put.__self__
    stream.app_put = _discard
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait({"type": "http.disconnect"})


async def _discard(event: Any) -> None:
    pass
