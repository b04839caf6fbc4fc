"""One request on its way to an origin, and the answer on its way back."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from spunto.core.kernel.errors import SpuntoError, Unavailable
from spunto.entrypoints.edge.http.bodies import BodyReader
from spunto.entrypoints.edge.http.chunks import ChunkReader, chunk, last_chunk
from spunto.entrypoints.edge.http.client import Client
from spunto.entrypoints.edge.http.headers import passing, passing_trailers
from spunto.entrypoints.edge.http.malformed import MalformedMessage
from spunto.entrypoints.edge.http.origin import BadAnswer, Origin, OriginBroke, Origins
from spunto.entrypoints.edge.http.requests import Incoming, write_request
from spunto.entrypoints.edge.http.responses import SWITCHED, Outgoing, framing_of, write_response
from spunto.entrypoints.edge.http.times import Times
from spunto.entrypoints.edge.http.upgrade import SWITCHING, has_agreed, pass_on
from spunto.entrypoints.edge.http.upload import ClientFailed, Upload
from spunto.entrypoints.edge.seams import Body, Forward

# Asked twice they do the same as once; the second time only where the first may not have been heard at all.
_REPEATABLE: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
_CONTINUE: Final = 100
# Answers before the answer: each costs the loop that serves everybody.
_MAX_MEANWHILE: Final = 64
# So long before its end a kept connection is not used any more.
_MARGIN_SECONDS: Final = 1.0
# Of a chunked body that is read without a pause: in the worst case it has a chunk for each six bytes.
_TURN_BYTES: Final = 16 * 1024


class Exchange:
    def __init__(self, client: Client, request: Incoming, forward: Forward, *, origins: Origins, times: Times) -> None:
        self._client = client
        self._request = request
        self._forward = forward
        self._origins = origins
        self._times = times
        self._origin: Origin | None = None
        self._upload = Upload(
            client,
            request.body(),
            is_chunked=request.head.body is Body.CHUNKED,
            stalled_seconds=times.stalled,
        )
        self._uploading: asyncio.Task[ClientFailed | None] | None = None
        self._seen_moves = client.moves
        self._has_reached = False
        self._has_answered = False

    async def run(self, *, may_go_on: bool) -> bool:
        """Whether the client's connection may be used for its next request.

        Raises SpuntoError and ClientFailed while nothing was answered; later it cuts the client off.
        """
        try:
            answer = await self._ask()
            if answer.status == SWITCHED:
                await self._switch(answer)
                return False
            return await self._answer(answer, may_go_on=may_go_on and self._request.keeps_alive)
        finally:
            await self._let_go()

    def tick(self) -> None:
        """Look whether it may still be."""
        has_moved, self._seen_moves = self._client.moves != self._seen_moves, self._client.moves
        # What a client sends to nobody moves nothing.
        has_moved = has_moved and self._has_reached
        if not self._forward.still_may(has_moved):
            self._client.cut()

    # Asking

    async def _ask(self) -> Outgoing:
        kept = None if self._request.head.wants_upgrade else self._origins.take(self._forward.target.key)
        if kept is not None:
            try:
                return await self._ask_at(kept)
            except SpuntoError:
                if kept.has_spoken or not self._may_repeat:
                    raise
                kept.upstream.reset("stale")
        return await self._ask_at(await self._connected())

    @property
    def _may_repeat(self) -> bool:
        return self._request.head.method in _REPEATABLE and self._upload.is_over and not self._request.length

    async def _connected(self) -> Origin:
        target = self._forward.target
        try:
            async with asyncio.timeout(self._times.connect):
                return Origin(await target.connect(), key=target.key)
        except TimeoutError as error:
            raise Unavailable("not_reached", "What should answer there could not be reached in time.") from error

    async def _ask_at(self, origin: Origin) -> Outgoing:
        self._origin = origin
        head = write_request(self._request, self._forward.headers)
        # Who does not listen any more may have answered before.
        with suppress(SpuntoError):
            await origin.upstream.write(head + self._upload.begin())
        if not self._has_reached:
            self._has_reached = True
            self._forward.reached()
        if not self._upload.is_over:
            self._uploading = asyncio.create_task(self._upload.run(origin.upstream), name="edge upload")
        told = 0
        while not (answer := await self._next_head(origin)).is_final:
            told += 1
            if told > _MAX_MEANWHILE:
                raise BadAnswer("it says too much before its answer")
            if answer.status == SWITCHED:
                if has_agreed(self._request.head, answer) and self._request.head.wants_upgrade:
                    return answer
                raise BadAnswer("it switched to a protocol that nobody asked for")
            await self._tell_meanwhile(answer)
        return answer

    async def _next_head(self, origin: Origin) -> Outgoing:
        """Raises ClientFailed if the body breaks off before there is an answer."""
        reading = origin.head(method=self._request.head.method)
        if self._uploading is None:
            return await reading
        waiting = asyncio.create_task(reading, name="edge answer")
        try:
            await asyncio.wait({waiting, self._uploading}, return_when=asyncio.FIRST_COMPLETED)
            failed = None if waiting.done() else self._uploading.result()
            if failed is not None:
                raise failed
            return await waiting
        finally:
            waiting.cancel()

    async def _tell_meanwhile(self, answer: Outgoing) -> None:
        is_awaited = answer.status != _CONTINUE or self._request.expects_continue
        if is_awaited and self._request.head.version == b"1.1":
            headers = self._forward.edit_response(answer.status, passing(answer.headers))
            self._client.write(write_response(answer, headers, framing=Body.NONE, connection=b""))
            await self._client.drained()

    # Answering

    async def _answer(self, answer: Outgoing, *, may_go_on: bool) -> bool:
        framing = framing_of(answer, version=self._request.head.version)
        # Where the answer comes before the body's end, the next request could not be told from the rest of the body.
        goes_on = may_go_on and framing is not None and self.is_sent
        headers = self._forward.edit_response(answer.status, passing(answer.headers))
        head = write_response(answer, headers, framing=framing, connection=self._connection(goes_on=goes_on))
        if self._uploading is not None:
            self._uploading.add_done_callback(self._upload_ended)
        try:
            await self._stream(head, answer, is_chunked=framing is Body.CHUNKED)
        except SpuntoError:
            if not self._has_answered:
                raise
            self._client.cut()
            return False
        return goes_on

    async def _stream(self, head: bytes, answer: Outgoing, *, is_chunked: bool) -> None:
        """Raises SpuntoError for an origin that breaks off, or whose body can't be read."""
        origin, body, client = self._its_origin, answer.body(), self._client
        pieces: list[bytes] = [head]
        rest = b""
        is_unsure = False
        data = origin.held()
        while True:
            if data:
                is_unsure = not self._has_answered
                part, data = _parted(data) if answer.is_chunked else (data, b"")
                content, rest = _taken(body, part)
                if content:
                    pieces += [chunk(_joined(content))] if is_chunked else content
            if body.is_over:
                rest += data
                break
            # With the first bytes of a body the head waits for what they say; a head alone goes at once.
            if pieces and not (is_unsure and isinstance(body, ChunkReader) and not body.has_begun):
                self._write(pieces)
                await client.drained()
            if data:
                # Chunks may be of one byte each, and others are to be served meanwhile.
                await asyncio.sleep(0)
                continue
            data = await origin.more()
            if not data:
                _require_endless(answer)
                break
        if is_chunked:
            pieces.append(last_chunk(passing_trailers(body.trailers)))
        if pieces:
            self._write(pieces)
        self._keep(answer, is_clean=body.is_over and not rest)
        await client.drained()

    def _write(self, pieces: list[bytes]) -> None:
        self._has_answered = True
        self._client.write(_joined(pieces))
        pieces.clear()

    def _connection(self, *, goes_on: bool) -> bytes:
        if not goes_on:
            return b"close"
        return b"keep-alive" if self._request.head.version == b"1.0" else b""

    @property
    def is_sent(self) -> bool:
        """Whether the body was read to its end."""
        return self._upload.is_over and (self._uploading is None or self._uploading.done())

    @property
    def _its_origin(self) -> Origin:
        if self._origin is None:
            raise RuntimeError("nobody was asked yet")
        return self._origin

    def _upload_ended(self, task: "asyncio.Task[ClientFailed | None]") -> None:
        if not task.cancelled() and task.result() is not None:
            self._client.cut()

    async def _switch(self, answer: Outgoing) -> None:
        client, origin = self._client, self._its_origin
        headers = [*self._forward.edit_response(answer.status, passing(answer.headers)), *SWITCHING]
        client.is_raw = True
        client.write(write_response(answer, headers, framing=Body.NONE, connection=b""))
        try:
            await pass_on(client, origin)
        except SpuntoError:
            client.cut()

    # Leaving

    def _keep(self, answer: Outgoing, *, is_clean: bool) -> None:
        if not (is_clean and answer.keeps_alive and self.is_sent and self._upload.is_whole):
            return
        told = answer.idle_seconds
        seconds = self._forward.target.kept_seconds if told is None else told - _MARGIN_SECONDS
        if seconds > 0:
            now = asyncio.get_running_loop().time()
            self._origins.keep(self._its_origin, until=now + min(seconds, self._times.kept_at_most))
            self._origin = None

    async def _let_go(self) -> None:
        if self._uploading is not None and not self._uploading.done():
            self._uploading.cancel()
            await asyncio.wait({self._uploading})
        if self._origin is not None:
            self._origin.upstream.reset("aborted")
            self._origin = None


def _joined(pieces: Sequence[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _taken(body: BodyReader, data: bytes) -> tuple[Sequence[bytes], bytes]:
    try:
        return body.take(data)
    except MalformedMessage as error:
        reason = str(error).removesuffix(".")
        raise BadAnswer(reason[0].lower() + reason[1:]) from error


def _require_endless(answer: Outgoing) -> None:
    """Raises OriginBroke where more was to come."""
    if answer.length is not None or answer.is_chunked:
        raise OriginBroke


def _parted(data: bytes) -> tuple[bytes, bytes]:
    """What is read now, and the rest."""
    return (data, b"") if len(data) <= _TURN_BYTES else (data[:_TURN_BYTES], data[_TURN_BYTES:])
