"""Answers without a foreseeable end: one piece after the other, at the reader's pace, until it stops reading."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any, Final, cast

from quart import Response, request

from spunto.core.activity.service import ENDING_TOPIC
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.wakeups import Wakeups
from spunto.entrypoints.http.connection import CUT

STALLED_SECONDS: Final = 30.0
_END_SECONDS: Final = 2.0


class Streams:
    """The streams that are open now, so that a stopping server can end them before it waits for them."""

    def __init__(self, wakeups: Wakeups, *, stalled_seconds: float = STALLED_SECONDS) -> None:
        self._wakeups = wakeups
        self._stalled_seconds = stalled_seconds
        self._open: dict[object, Callable[[], None]] = {}
        self._none_open = asyncio.Event()
        self.is_ending = False

    def respond(self, pieces: AsyncGenerator[bytes, None], *, content_type: str) -> Response:
        """An answer that may end anywhere: a stopping server lets the client come back.

        Raises Unavailable once the server is stopping. Nothing is read ahead of what the client has taken.
        """
        return self._respond(pieces, content_type, whole=False)

    def respond_whole(self, pieces: AsyncGenerator[bytes, None], *, content_type: str) -> Response:
        """The same for an answer that has an end of its own: where it is not reached, the client sees it break off."""
        return self._respond(pieces, content_type, whole=True)

    def _respond(self, pieces: AsyncGenerator[bytes, None], content_type: str, *, whole: bool) -> Response:
        if self.is_ending:
            raise Unavailable("server_stopping", "The server is restarting; come again.", retry_after_seconds=1)
        # Quart knows of no key of ours.
        cut = cast("Callable[[], None]", request.scope.get(CUT, _nothing))
        body = b"" if request.method == "HEAD" else self._paced(pieces, cut, whole=whole)
        response = Response(body, content_type=content_type)
        response.timeout = None
        # What is passed on piece by piece must not be collected on its way by a proxy.
        response.headers["X-Accel-Buffering"] = "no"
        return response

    async def end_all(self) -> None:
        """Let no new one in, have the open ones end, and cut those whose reader does not let them."""
        self.is_ending = True
        self._wakeups.hint(ENDING_TOPIC)
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                while self._open:
                    self._none_open.clear()
                    await self._none_open.wait()
        for cut in list(self._open.values()):
            cut()

    async def _paced(
        self, pieces: AsyncGenerator[bytes, None], cut: Callable[[], None], *, whole: bool
    ) -> AsyncIterator[bytes]:
        mark = object()
        self._open[mark] = cut
        loop = asyncio.get_running_loop()
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    timer = loop.call_later(self._stalled_seconds, cut)
                    try:
                        yield piece
                    finally:
                        timer.cancel()
                    if self.is_ending and not whole:
                        return
        finally:
            del self._open[mark]
            if not self._open:
                self._none_open.set()


def _nothing(*_: Any) -> None:
    """A connection in the same process has nothing to cut."""
