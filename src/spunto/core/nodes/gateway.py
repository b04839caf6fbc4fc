"""The server's end of agents' connections: who is it, what should stand there, what does it report."""

import asyncio
import hmac
import re

from spunto.core.activity.events import EventType
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, Forbidden, StaleVersion, Unauthenticated, Unavailable
from spunto.core.kernel.log import Log
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.kernel.wakeups import Wakeups
from spunto.core.nodes.introduction import agent_of, capacity_of
from spunto.core.nodes.links import Link, NodeLinks
from spunto.core.nodes.model import Node, NodeId, ReplicaId
from spunto.core.nodes.ports import NodesTransaction, SecretSource
from spunto.core.nodes.presence import Presence
from spunto.core.nodes.replica import topic as replica_topic
from spunto.core.nodes.reports import Reports
from spunto.core.nodes.sync import keep_in_step, topic
from spunto.core.protocol.closing import BAD_PROTOCOL, BUSY, UNAUTHENTICATED
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import Hello, Inventory, Observed, StateMessage, Welcome
from spunto.core.protocol.stream import ConnectionLost
from spunto.core.protocol.transport import Transport
from spunto.core.specs.token import node_of_token, token_hash

HEARTBEAT_SECONDS = 15.0
_LEAVE_SECONDS = 10.0
_RETRY_SECONDS = 5.0
# What could not be stored is told again after this long.
_TELL_AGAIN_SECONDS = 1.0
_UPGRADE = (
    "Run the install line on the node's machine again (`spunto node show` prints it): it puts this server's agent "
    "there, and the workers go on."
)
_NO_WORD = re.compile(r"[^a-z0-9_]")
_FLAPPING = Problem(
    code="node_flapping",
    message="Several agents use this node's token; stop all but one, then rotate the token.",
)


class NodeGateway:
    """Serves agents over any transport, one call of `serve` a connection."""

    def __init__(
        self,
        uow: UnitOfWork[NodesTransaction],
        *,
        secrets: SecretSource,
        links: NodeLinks,
        auditor: Auditor,
        presence: Presence,
        clock: Clock,
        wakeups: Wakeups,
        replica_id: ReplicaId,
        timeline_id: str,
        log: Log,
    ) -> None:
        self.uow = uow
        self.secrets = secrets
        self.links = links
        self.clock = clock
        self.wakeups = wakeups
        self.replica_id = replica_id
        self.timeline_id = timeline_id
        self.reports = Reports(uow, auditor=auditor, clock=clock, log=log)
        self.auditor = auditor
        self.presence = presence
        self.log = log

    async def serve(self, transport: Transport, token: Secret) -> None:
        """Speak with one agent until its connection ends. A token that is not good closes it with 4401."""
        try:
            node = await self._authenticate(token)
        except Unauthenticated as error:
            self.log("agent_refused", node=node_of_token(token), reason=error.code)
            await transport.close(UNAUTHENTICATED, error.code)
            return
        await _Attendance(self, node, transport).serve()

    async def _authenticate(self, token: Secret) -> Node:
        node_id = node_of_token(token)
        if node_id is not None:
            async with self.uow.reading() as tx:
                node = await tx.nodes.find(NodeId(node_id))
            if node is not None and hmac.compare_digest(node.token_hash, token_hash(token)):
                return node
        raise Unauthenticated("node_token_not_good", "The node's token is unknown or was rotated; take the new one.")


class _Attendance:
    """One connection of one agent."""

    def __init__(self, gateway: NodeGateway, node: Node, transport: Transport) -> None:
        self._gateway = gateway
        self._node_id = node.id
        self._token_hash = node.token_hash
        self._epoch: int | None = None
        self._link: Link | None = None
        self._connection = Connection.server(
            transport, clock=gateway.clock, accept=self._accept, on_message=self._take_in
        )

    async def serve(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                syncing = group.create_task(self._keep_in_step(), name=f"desired {self._node_id}")
                await self._connection.run()
                syncing.cancel()
        finally:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._leave()

    async def _accept(self, hello: Hello, protocol: int) -> Welcome:
        try:
            node = await self._connect(hello)
        except StaleVersion as error:
            # A lost race is no newer agent's word, which would keep this one away for a minute.
            raise Unavailable("node_contended", "Try again.", retry_after_seconds=_TELL_AGAIN_SECONDS) from error
        older = self._gateway.links.find(node.id)
        if older is not None:
            older.supersede()
        if node.quarantine is not None:
            raise Forbidden(node.quarantine.code, node.quarantine.message)
        self._link = Link(connection=self._connection, token_hash=self._token_hash, epoch=node.epoch)
        self._gateway.links.attach(self._node_id, self._link)
        self._gateway.log(
            "agent_connected",
            node=node.id,
            name=node.name,
            epoch=node.epoch,
            version=hello.agent_version,
            commit=hello.agent_commit,
        )
        return Welcome(
            protocol=protocol,
            epoch=node.epoch,
            timeline_id=self._gateway.timeline_id,
            node_id=self._node_id,
            server_time=self._gateway.clock.now(),
            heartbeat_seconds=HEARTBEAT_SECONDS,
        )

    @retried
    async def _connect(self, hello: Hello) -> Node:
        """Open the next epoch. What is checked again here may have changed since the token was.

        Two living agents that keep superseding each other share a token by mistake: the node is quarantined.
        """
        async with self._gateway.uow() as tx:
            node = await tx.nodes.find(self._node_id)
            if node is None or node.token_hash != self._token_hash:
                raise Unauthenticated("node_token_not_good", "The node's token was rotated; take the new one.")
            if node.quarantine is not None:
                raise Forbidden(node.quarantine.code, node.quarantine.message)
            if not node.connected:
                said = {"agentVersion": hello.agent_version, "agentCommit": hello.agent_commit}
                await self._announce(tx, node, EventType.NODE_ONLINE, **said)
            now, older = self._gateway.clock.now(), node.holder
            agent = agent_of(hello)
            node = node.connected_anew(
                agent=agent, capacity=capacity_of(hello), holder=self._gateway.replica_id, at=now
            )
            if node.is_flapping(now=now):
                node = node.quarantined(_FLAPPING, at=now)
                await self._announce(tx, node, EventType.NODE_QUARANTINED)
            node = await tx.nodes.update(node)
            tx.hint(topic(node.id))
            if older is not None and older != self._gateway.replica_id:
                tx.hint(replica_topic(older))
            # Known before the commit, because a connection that dies during it has to be ended all the same.
            self._epoch = node.epoch
            await tx.commit()
        return node

    async def _keep_in_step(self) -> None:
        try:
            await self._connection.ready()
            await self._cut_if_outdated()
            await keep_in_step(
                self._gateway.uow,
                self._gateway.wakeups,
                self._node_id,
                self._connection,
                secrets=self._gateway.secrets,
            )
        except ConnectionLost:
            return
        except Unavailable as error:
            self._connection.close(BUSY, error.code, message=error.message, retry_after_seconds=_RETRY_SECONDS)

    async def _cut_if_outdated(self) -> None:
        """What happened between the accepting transaction and the link's being known could not cut this connection."""
        async with self._gateway.uow.reading() as tx:
            node = await tx.nodes.find(self._node_id)
        if self._link is not None:
            self._link.cut_if_outdated(node)

    async def _take_in(self, connection: Connection, message: StateMessage) -> None:
        """A report that can't be stored ends the connection: the agent tells everything again on its next one."""
        if self._link is None:
            return
        try:
            if isinstance(message, Observed):
                await self._gateway.reports.record(self._node_id, self._link, message.items)
            elif isinstance(message, Inventory):
                await self._gateway.reports.take_inventory(self._node_id, self._link, message)
        except ConnectionLost:
            return
        except (Unavailable, Conflict) as error:
            connection.close(BUSY, error.code, message=error.message, retry_after_seconds=_TELL_AGAIN_SECONDS)

    async def _leave(self) -> None:
        closed = self._connection.closed
        # A transport may give the words of whoever closed it.
        reason = _NO_WORD.sub("_", closed.reason[:64]) if closed is not None and closed.reason else "connection_lost"
        if self._link is not None:
            self._gateway.links.detach(self._node_id, self._link)
            self._gateway.log("agent_disconnected", node=self._node_id, epoch=self._epoch, reason=reason)
        if self._epoch is None and closed is not None and closed.code == BAD_PROTOCOL and not closed.by_peer:
            await self._note_incompatible(closed.message)
        elif self._epoch is not None and self._gateway.links.find(self._node_id) is None:
            await self._gateway.presence.end(self._node_id, self._epoch, reason=reason)

    @retried
    async def _note_incompatible(self, why: str) -> None:
        """Written once for as long as it holds, however often the agent dials."""
        problem = Problem(code="agent_incompatible", message=f"{why} {_UPGRADE}")
        async with self._gateway.uow() as tx:
            node = await tx.nodes.find(self._node_id)
            if node is None or (after := node.not_understood(problem)) == node:
                return
            await tx.nodes.update(after)
            await self._announce(tx, node, EventType.NODE_AGENT_INCOMPATIBLE, reason=problem.message)
            await tx.commit()
        self._gateway.log("agent_incompatible", node=node.id, name=node.name, reason=problem.message)

    async def _announce(self, tx: NodesTransaction, node: Node, kind: EventType, **data: str) -> None:
        await self._gateway.auditor.announce(tx, node.org_id, kind, node.id, data=data)
