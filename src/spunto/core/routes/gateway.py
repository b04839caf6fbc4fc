"""The server's end of edges' connections: who is it, what is to be reached, what does it ask."""

import asyncio
import hmac
from datetime import timedelta
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, StaleVersion, Unauthenticated, Unavailable
from spunto.core.kernel.log import Log
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.protocol.closing import BUSY, FORBIDDEN, NORMAL, SUPERSEDED, UNAUTHENTICATED
from spunto.core.protocol.connection import Connection, OnStream
from spunto.core.protocol.messages import Hello, Limits, Observed, ObservedItem, StateMessage, Welcome
from spunto.core.protocol.stream import ConnectionLost
from spunto.core.protocol.transport import Transport
from spunto.core.routes.desired import EDGE_SESSION, ROUTE, URL_LABEL, AddressesSpec
from spunto.core.routes.model import Edge, EdgeId, edge_topic
from spunto.core.routes.ports import RoutesTransaction
from spunto.core.routes.sync import EdgeSync, PassKeys
from spunto.core.specs.token import edge_of_token, token_hash

LEASE: Final = timedelta(seconds=30)
RENEW_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 2.0
_NOT_GOOD: Final = "edge_token_not_good"
_LIMITS: Final = Limits(max_streams=4096)


class EdgeGateway:
    """Serves edges over any transport, one call of `serve` a connection."""

    def __init__(
        self,
        uow: UnitOfWork[RoutesTransaction],
        *,
        on_question: OnStream,
        keys: PassKeys,
        addresses: AddressesSpec,
        clock: Clock,
        wakeups: Wakeups,
        timeline_id: str,
        log: Log,
    ) -> None:
        self.uow = uow
        self.on_question = on_question
        self.keys = keys
        self.addresses = addresses
        self.clock = clock
        self.wakeups = wakeups
        self.timeline_id = timeline_id
        self.log = log

    async def serve(self, transport: Transport, token: Secret) -> None:
        """Speak with one edge until its connection ends. A token that is not good closes it with 4401."""
        edge_id = edge_of_token(token)
        edge = None if edge_id is None else await self.find(EdgeId(edge_id))
        if edge is None or not hmac.compare_digest(edge.token_hash, token_hash(token)):
            self.log("edge_refused", edge=edge_id, reason=_NOT_GOOD)
            await transport.close(UNAUTHENTICATED, _NOT_GOOD)
            return
        await _Attendance(self, edge, transport).serve()

    async def find(self, edge_id: EdgeId) -> Edge | None:
        async with self.uow.reading() as tx:
            return await tx.edges.find(edge_id)


class _Attendance:
    """One connection of one edge."""

    def __init__(self, gateway: EdgeGateway, edge: Edge, transport: Transport) -> None:
        self._gateway = gateway
        self._edge = edge
        self._applied: dict[str, int] = {}
        self._sync: EdgeSync | None = None
        self._connection = Connection.server(
            transport,
            clock=gateway.clock,
            accept=self._accept,
            on_message=self._take_in,
            on_stream=gateway.on_question,
            settings=EDGE_SESSION,
        )

    async def serve(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                work = [
                    group.create_task(self._keep_in_step(), name=f"routes {self._edge.id}"),
                    group.create_task(self._keep_lease(), name=f"lease {self._edge.id}"),
                ]
                await self._connection.run()
                for task in work:
                    task.cancel()
        finally:
            await self._leave()

    async def _accept(self, hello: Hello, protocol: int) -> Welcome:
        try:
            self._edge = await self._connect(hello.labels.get(URL_LABEL, ""))
        except StaleVersion as error:
            raise Unavailable("edge_contended", "Try again.", retry_after_seconds=_RETRY_SECONDS) from error
        self._gateway.log("edge_connected", edge=self._edge.id, name=self._edge.name, epoch=self._edge.epoch)
        return Welcome(
            protocol=protocol,
            epoch=self._edge.epoch,
            timeline_id=self._gateway.timeline_id,
            node_id=self._edge.id,
            server_time=self._gateway.clock.now(),
            heartbeat_seconds=EDGE_SESSION.heartbeat_seconds,
            limits=_LIMITS,
        )

    @retried
    async def _connect(self, url: str) -> Edge:
        """Begin the edge's next epoch, which ends its older connections wherever they are."""
        now = self._gateway.clock.now()
        async with self._gateway.uow() as tx:
            edge = await tx.edges.find(self._edge.id)
            if edge is None or edge.token_hash != self._edge.token_hash:
                raise Unauthenticated(_NOT_GOOD, "The edge's token is unknown; `spunto edge create` makes one.")
            edge = await tx.edges.update(edge.connected_anew(url=url, at=now, lease_until=now + LEASE))
            self._applied = dict(await tx.edges.acknowledged(edge.id))
            tx.hint(edge_topic(edge.id))
            await tx.commit()
        return edge

    async def _keep_in_step(self) -> None:
        gateway = self._gateway
        try:
            await self._connection.ready()
            self._sync = EdgeSync(
                gateway.uow,
                self._edge,
                self._connection,
                keys=gateway.keys,
                addresses=gateway.addresses,
                clock=gateway.clock,
            )
            await self._sync.run(gateway.wakeups)
        except ConnectionLost:
            return
        except Unavailable as error:
            self._say_busy(error)

    async def _keep_lease(self) -> None:
        """Also ends a connection that is not the edge's own any more. A database that is away takes no connection."""
        try:
            await self._connection.ready()
            with self._gateway.wakeups.subscribe(edge_topic(self._edge.id)) as wakeup:
                while await self._renew(LEASE):
                    await wakeup.wait(max_seconds=RENEW_SECONDS)
        except ConnectionLost:
            return
        except (Unavailable, Conflict) as error:
            self._say_busy(error)
            return
        if await self._gateway.find(self._edge.id) is None:
            self._connection.close(FORBIDDEN, "edge_removed")
        else:
            self._connection.close(SUPERSEDED, "superseded", message="Another edge connected with this token.")

    @retried
    async def _renew(self, lease: timedelta) -> bool:
        now = self._gateway.clock.now()
        async with self._gateway.uow() as tx:
            is_own = await tx.edges.renew(self._edge.id, epoch=self._edge.epoch, at=now, until=now + lease)
            await tx.commit()
        return is_own

    async def _take_in(self, connection: Connection, message: StateMessage) -> None:
        """What the edge has applied. What can't be stored ends the connection: all is told again on the next one."""
        if not isinstance(message, Observed) or self._sync is None:
            return
        news = {item.id: item.generation for item in message.items if self._is_news(self._sync, item)}
        if not news:
            return
        try:
            await self._acknowledge(news)
        except (Unavailable, Conflict) as error:
            self._say_busy(error)

    def _is_news(self, sync: EdgeSync, item: ObservedItem) -> bool:
        """Of what it was never told it has applied nothing."""
        is_told = item.kind == ROUTE and sync.was_told(item.id, item.generation)
        return is_told and self._applied.get(item.id) != item.generation

    @retried
    async def _acknowledge(self, generations: dict[str, int]) -> None:
        async with self._gateway.uow() as tx:
            await tx.edges.acknowledge(self._edge.id, generations)
            await tx.commit()
        self._applied |= generations

    async def _leave(self) -> None:
        """One that says goodbye serves nobody any more; of one that is lost that is not known before its lease ends."""
        if self._connection.welcome is None:
            return
        closed = self._connection.closed
        reason = "connection_lost" if closed is None or not closed.reason else closed.reason[:64]
        self._gateway.log("edge_disconnected", edge=self._edge.id, epoch=self._edge.epoch, reason=reason)
        if closed is None or not closed.by_peer or closed.code != NORMAL:
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._renew(timedelta())
        except (Unavailable, Conflict, TimeoutError):
            return

    def _say_busy(self, error: Unavailable | Conflict) -> None:
        self._connection.close(BUSY, error.code, message=error.message, retry_after_seconds=_RETRY_SECONDS)
