"""Reaching a node wherever its socket is: on a connection of this process, or through the process that holds it."""

import asyncio
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.nodes.links import NodeLinks, offline
from spunto.core.nodes.model import NodeId, ReplicaId
from spunto.core.nodes.peers import Peers, ReplicaAway
from spunto.core.nodes.ports import NodesTransaction
from spunto.core.nodes.replica import Replica
from spunto.core.protocol.codec import ProtocolViolation, decode, encode
from spunto.core.protocol.messages import Inventory, JsonObject
from spunto.core.protocol.multiplexer import StreamReset
from spunto.core.protocol.splice import splice
from spunto.core.protocol.stream import ConnectionLost, Stream

NODE_STREAM: Final = "node"
INVENTORY_STREAM: Final = "inventory"
OPEN_SECONDS: Final = 5.0
_OPENED: Final = {"opened": True}
_MAX_INVENTORY_BYTES: Final = 4 * 1024 * 1024
_AGAIN_SECONDS: Final = 5.0
# What the holder may say of a node that it does have.
_REFUSALS: Final = frozenset({"connection_lost", "stream_refused", "too_many_streams"})


class NodeReach:
    """Gives streams to nodes. Whoever opened one closes it."""

    def __init__(
        self,
        uow: UnitOfWork[NodesTransaction],
        *,
        links: NodeLinks,
        replica: Replica,
        peers: Peers,
        clock: Clock,
    ) -> None:
        self._uow = uow
        self._links = links
        self._replica = replica
        self._peers = peers
        self._clock = clock

    async def open(self, node_id: NodeId, kind: str, params: JsonObject) -> Stream:
        """Begin a stream with the node's agent.

        Raises Unavailable, within seconds: `node_offline`, `agent_incompatible`, `connection_lost`, `too_many_streams`.
        """
        link = self._links.find(node_id)
        if link is not None:
            return link.connection.open(kind, params)
        wanted = {"nodeId": node_id, "kind": kind, "params": params}
        stream = await self._open_at_holder(node_id, NODE_STREAM, wanted)
        if stream is not None:
            return stream
        # It has come here meanwhile, or is nowhere.
        link = self._links.find(node_id)
        if link is None:
            raise await self._away(node_id)
        return link.connection.open(kind, params)

    async def ask_inventory(self, node_id: NodeId) -> Inventory:
        """What the agent finds on its engine now. Raises Unavailable, as `open` does."""
        return await _read_inventory(await self.open(node_id, INVENTORY_STREAM, {}), node_id)

    async def inventory(self, node_id: NodeId) -> Inventory:
        """What the agent last listed. Raises Unavailable `node_offline`, `agent_incompatible`."""
        link = self._links.find(node_id)
        if link is None:
            return await self._inventory_from_holder(node_id)
        if link.listed is None:
            raise offline(node_id)
        return link.listed

    async def _inventory_from_holder(self, node_id: NodeId) -> Inventory:
        stream = await self._open_at_holder(node_id, INVENTORY_STREAM, {"nodeId": node_id})
        if stream is None:
            raise await self._away(node_id)
        return await _read_inventory(stream, node_id)

    async def _away(self, node_id: NodeId) -> Unavailable:
        """Why a node that is connected nowhere can't be reached."""
        async with self._uow.reading() as tx:
            node = await tx.nodes.find(node_id)
        if node is None or node.incompatible is None:
            return offline(node_id)
        return Unavailable("agent_incompatible", node.incompatible.message, id=node_id)

    async def _open_at_holder(self, node_id: NodeId, kind: str, params: JsonObject) -> Stream | None:
        """None where no other process holds the node; a node that moved meanwhile is followed once."""
        refused: ReplicaId | None = None
        for _ in range(2):
            holder = await self._holder_of(node_id)
            if holder is None or holder.id in (self._replica.id, refused):
                return None
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    return await self._open_at(holder, kind, params)
            except (ReplicaAway, TimeoutError):
                refused = holder.id
        return None

    async def _open_at(self, holder: Replica, kind: str, params: JsonObject) -> Stream:
        """Raises ReplicaAway where it does not have the node, and Unavailable for what went wrong there."""
        connection = await self._peers.connection(holder)
        try:
            stream = connection.open(kind, params)
        except ConnectionLost as error:
            raise ReplicaAway from error
        try:
            await stream.next()
        except StreamReset as reset:
            await stream.aclose()
            if reset.code not in _REFUSALS:
                raise ReplicaAway from reset
            raise Unavailable(reset.code, reset.message, retry_after_seconds=_AGAIN_SECONDS) from reset
        except BaseException as error:
            stream.reset("aborted")
            if isinstance(error, ConnectionLost):
                raise ReplicaAway from error
            raise
        return stream

    async def _holder_of(self, node_id: NodeId) -> Replica | None:
        async with self._uow.reading() as tx:
            node = await tx.nodes.find(node_id)
            if node is None or node.holder is None:
                return None
            return await tx.replicas.find(node.holder, now=self._clock.now())


async def _read_inventory(stream: Stream, node_id: NodeId) -> Inventory:
    """Raises Unavailable `node_offline` where none comes in time."""
    body = bytearray()
    try:
        async with stream, asyncio.timeout(OPEN_SECONDS):
            while (piece := await stream.read()) is not None and len(body) <= _MAX_INVENTORY_BYTES:
                body += piece
        message = decode(body.decode())
    except (StreamReset, ConnectionLost, TimeoutError, ProtocolViolation, UnicodeDecodeError) as error:
        raise offline(node_id) from error
    if not isinstance(message, Inventory):
        raise offline(node_id)
    return message


class HeldNodes:
    """What this process gives the others: streams to the nodes that it holds, and what those listed."""

    def __init__(self, links: NodeLinks) -> None:
        self._links = links

    async def handle(self, stream: Stream) -> None:
        """Serve one stream to its end. What it raises is the stream's reset."""
        match stream.params:
            case {"nodeId": str(node_id), "kind": str(kind), "params": dict(params)} if stream.kind == NODE_STREAM:
                inner = self._links.open(NodeId(node_id), kind, params)
                await stream.send_control(_OPENED)
                await splice(stream, inner)
            case {"nodeId": str(node_id)} if stream.kind == INVENTORY_STREAM:
                await self._tell_inventory(stream, NodeId(node_id))
            case _:
                raise Unavailable("unknown_stream_kind", f"This server knows no stream {stream.kind!r}.")

    async def _tell_inventory(self, stream: Stream, node_id: NodeId) -> None:
        link = self._links.find(node_id)
        if link is None or link.listed is None:
            raise offline(node_id)
        await stream.send_control(_OPENED)
        await stream.write(encode(link.listed).encode())
        await stream.write_eof()
