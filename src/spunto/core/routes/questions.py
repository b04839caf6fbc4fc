"""Answers what edges ask: each question is a stream with one JSON object each way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import Conflict, Malformed, Unavailable
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.relaying import DIAL
from spunto.core.protocol.stream import ConnectionLost, Stream
from spunto.core.routes.asking import Active, Authorize, Dial, Done, Redeem, Source, Verdicts, Wake, Woken
from spunto.core.routes.desired import RouteState
from spunto.core.routes.doorman import Doorman
from spunto.core.routes.fields import MAX_BYTES, Said, read, write
from spunto.core.routes.ports import RoutesTransaction

ASK_SECONDS: Final = 15.0

Answering = Callable[[bytes], Awaitable[Said]]


class Reach(Protocol):
    """As the nodes slice gives it."""

    async def open(self, node_id: NodeId, kind: str, params: dict[str, Any]) -> Stream:
        """Raises Unavailable `node_offline` and others."""


class Start(Protocol):
    """As the workers slice gives it."""

    async def __call__(self, actor: Actor, org_id: OrgId, subject_id: str) -> None:
        """Start it, unless it starts or runs already. Raises Conflict where that can't be."""


NoteUse = Callable[[str, Source], Awaitable[None]]
"""Keep that the subject was used just now. What is not there is passed over."""


class Questions:
    """`handle` serves one stream of an edge; what it raises is the stream's reset."""

    def __init__(
        self,
        uow: UnitOfWork[RoutesTransaction],
        *,
        doorman: Doorman,
        nodes: Reach,
        start: Start,
        note_use: NoteUse,
    ) -> None:
        self._uow = uow
        self._doorman = doorman
        self._nodes = nodes
        self._start = start
        self._note_use = note_use
        self._answers: Mapping[str, Answering] = {
            Authorize.name: self._authorize,
            Redeem.name: self._redeem,
            Dial.name: self._dial,
            Wake.name: self._wake,
            Active.name: self._active,
        }

    async def handle(self, stream: Stream) -> None:
        answering = self._answers.get(stream.kind)
        if answering is None:
            raise Unavailable("unknown_question", f"This server is not asked {stream.kind!r}.")
        async with asyncio.timeout(ASK_SECONDS):
            answer = await answering(await _question(stream))
            await stream.write(write(answer))
            await stream.write_eof()

    async def _authorize(self, raw: bytes) -> Said:
        return Verdicts(items=tuple(await self._doorman.verdicts(read(Authorize, raw).items)))

    async def _redeem(self, raw: bytes) -> Said:
        return await self._doorman.redeem(read(Redeem, raw))

    async def _wake(self, raw: bytes) -> Said:
        """What is on its way down can't be started yet; it is said to be down, and the edge asks again."""
        asked = read(Wake, raw)
        actor, route = await self._doorman.waker(asked.subject_id, asked.by)
        if route.standing.state is RouteState.DOWN:
            try:
                await self._start(actor, route.org_id, route.id)
            except Conflict as error:
                if error.code != "worker_state":
                    raise
        async with self._uow.reading() as tx:
            now = await tx.routes.find(route.id)
        return Woken(state=RouteState.GONE if now is None else now.standing.state)

    async def _active(self, raw: bytes) -> Said:
        for item in read(Active, raw).items:
            await self._note_use(item.subject_id, item.source)
        return Done()

    async def _dial(self, raw: bytes) -> Said:
        asked = read(Dial, raw)
        params = {"url": asked.url, "ticket": asked.ticket.reveal()}
        try:
            async with await self._nodes.open(NodeId(asked.node_id), DIAL, params) as stream:
                await stream.write_eof()
                while await stream.next() is not None:
                    pass
        except StreamReset as reset:
            code = "dial_refused" if reset.code in _REFUSALS else reset.code
            raise Unavailable(code, reset.message) from reset
        except ConnectionLost as lost:
            raise Unavailable("node_offline", "The node's connection broke; try again.") from lost
        return Done()


# An agent of before, and one that takes no more.
_REFUSALS: Final = frozenset({"stream_refused", "unknown_stream_kind"})


async def _question(stream: Stream) -> bytes:
    body = bytearray()
    while (piece := await stream.read()) is not None:
        body += piece
        if len(body) > MAX_BYTES:
            raise Malformed("bad_question", f"More than {MAX_BYTES} bytes are too many.")
    return bytes(body)
