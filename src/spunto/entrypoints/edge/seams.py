"""What parts of the edge hand to each other: a request's head, where it goes, or the answer that it gets here."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.serving.heads import Fault

Headers = Sequence[tuple[bytes, bytes]]
"""In order, with names in lower case."""


class Body(StrEnum):
    """How a request's body ends."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"


# One is made for every request, and a frozen one takes three times as long to make.
@dataclass(slots=True, kw_only=True)
class RequestHead:
    """`target` is as it came, in origin form; `host` is in lower case, with its port if one was given."""

    method: bytes
    target: bytes
    version: bytes
    headers: Headers
    host: str
    peer: str
    is_tls: bool
    wants_upgrade: bool
    body: Body = Body.NONE


class Upstream(Protocol):
    """Bytes both ways, as a stream of the session gives them."""

    async def read(self) -> bytes | None:
        """The next bytes; None at the end. Raises SpuntoError."""

    async def write(self, data: bytes) -> None:
        """Waits while the other side takes nothing. Raises SpuntoError."""

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read, neither bytes nor an end: only then it is used for another request."""

    async def write_eof(self) -> None: ...

    def reset(self, code: str, message: str = "") -> None: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go; connections to it are kept by its key. `connect` raises SpuntoError.

    `kept_seconds` is how long a connection that nobody uses is kept, where the target says nothing itself. It has to be
    shorter than what the target waits, or requests meet its farewell.
    """

    key: Hashable
    connect: Callable[[], Awaitable[Upstream]]
    kept_seconds: float = 4.0


def _nothing() -> None: ...


def _always(_: bool) -> bool:
    return True


def _as_it_is(_: int, headers: Headers) -> Headers:
    return headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Send the request on with these headers. `still_may(moved)` is asked each second while it lasts, with whether
    bytes moved meanwhile; after a False it is cut. `reached()` is called once it was sent to somebody."""

    target: Target
    headers: Headers
    edit_response: Callable[[int, Headers], Headers] = field(default=_as_it_is)
    still_may: Callable[[bool], bool] = field(default=_always)
    reached: Callable[[], None] = field(default=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the edge says itself."""

    status: int
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Let somebody else speak with the client from here on. `take` gets the connection and what came behind the head.

    It sets a protocol of its own, and answers, before it returns.
    """

    take: Callable[[asyncio.Transport, bytes], None]


class Decider(Protocol):
    """Asked for every request by itself, never for a connection."""

    async def decide(self, request: RequestHead) -> Forward | Answer | Handover:
        """May take as long as the request may be parked; nothing of its body is read meanwhile."""

    def shown(self, request: RequestHead, fault: Fault) -> Answer | None:
        """What a person sees where a request is refused before anybody decides; None for a program. Of the request no
        more may be known than its beginning."""

    def failed(self, request: RequestHead, error: SpuntoError) -> Answer:
        """What the client is told when the target could not be reached, or gave no answer that can be read."""
