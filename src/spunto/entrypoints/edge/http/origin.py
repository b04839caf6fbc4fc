"""The other end: a connection to whoever answers, as HTTP, and those that are kept for the next request."""

from collections.abc import Hashable
from typing import Final

from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.edge.http.malformed import MalformedMessage
from spunto.entrypoints.edge.http.responses import MAX_HEAD_BYTES, Outgoing, read_response
from spunto.entrypoints.edge.seams import Upstream

_BEGINNING: Final = b"HTTP/"
_MAX_KEPT: Final = 1024
_MAX_KEPT_EACH: Final = 64


class OriginBroke(Unavailable):
    """It ended in the midst of its answer, or before."""

    def __init__(self) -> None:
        super().__init__("connection_broke", "What answers there ended the connection before its answer was whole.")


class BadAnswer(Unavailable):
    def __init__(self, reason: str) -> None:
        super().__init__("bad_answer", f"What answers there sent no answer that can be passed on: {reason}.")


class Origin:
    """Raises SpuntoError, as its upstream does."""

    __slots__ = ("_received", "has_spoken", "key", "upstream")

    def __init__(self, upstream: Upstream, *, key: Hashable) -> None:
        self.upstream = upstream
        self.key = key
        self.has_spoken = False
        """Whether a byte of the present answer came."""
        self._received = b""

    async def head(self, *, method: bytes) -> Outgoing:
        """The next head. Raises OriginBroke, BadAnswer."""
        while (end := self._received.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)) < 0:
            if len(self._received) >= MAX_HEAD_BYTES:
                raise BadAnswer("its head is too large")
            data = await self.upstream.read()
            if data is None:
                raise OriginBroke
            self.has_spoken = True
            self._received += data
            if not self._received.startswith(_BEGINNING[: len(self._received)]):
                # Others greet, and wait for an answer that they understand.
                raise BadAnswer("it does not begin as one of HTTP")
        head, self._received = self._received[: end + 4], self._received[end + 4 :]
        try:
            return read_response(head, method=method)
        except MalformedMessage as error:
            raise BadAnswer(str(error)) from error

    async def more(self) -> bytes:
        """What came, b"" at the end."""
        if self._received:
            return self.held()
        return await self.upstream.read() or b""

    def held(self) -> bytes:
        """What came already behind the head."""
        data, self._received = self._received, b""
        return data


class Origins:
    """Those that nobody uses just now; the one that was used last goes first."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, list[tuple[Origin, float]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def take(self, key: Hashable) -> Origin | None:
        """One that has not ended meanwhile, as far as can be told."""
        kept = self._kept.get(key)
        while kept:
            origin, _ = kept.pop()
            self._count -= 1
            if not kept:
                del self._kept[key]
            if origin.upstream.is_quiet():
                origin.has_spoken = False
                return origin
            _end(origin)
        return None

    def keep(self, origin: Origin, *, until: float) -> None:
        if self._count >= _MAX_KEPT or len(self._kept.get(origin.key, ())) >= _MAX_KEPT_EACH:
            _end(origin)
            return
        self._kept.setdefault(origin.key, []).append((origin, until))
        self._count += 1

    def tick(self, now: float) -> None:
        for key, kept in list(self._kept.items()):
            left = [each for each in kept if each[1] > now and each[0].upstream.is_quiet()]
            if len(left) == len(kept):
                continue
            for each in kept:
                if each not in left:
                    _end(each[0])
            self._count -= len(kept) - len(left)
            if left:
                self._kept[key] = left
            else:
                del self._kept[key]

    def close(self) -> None:
        self.tick(float("inf"))


def _end(origin: Origin) -> None:
    origin.upstream.reset("idle")
