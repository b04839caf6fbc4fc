"""The agents that are connected to this process: how a use case reaches a node, and how a node is cut off."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from spunto.core.kernel.errors import Unavailable
from spunto.core.nodes.model import Node, NodeId
from spunto.core.protocol.closing import FORBIDDEN, RESTARTING, SUPERSEDED
from spunto.core.protocol.connection import Connection
from spunto.core.protocol.messages import Inventory, JsonObject
from spunto.core.protocol.stream import Stream


@dataclass(slots=True, kw_only=True)
class Link:
    """One agent's live connection, with the token and the epoch that it is good for and with what it last listed."""

    connection: Connection
    token_hash: bytes
    epoch: int
    listed: Inventory | None = None

    def cut_if_outdated(self, node: Node | None) -> None:
        """Close the connection unless it is the one that the node's row speaks of."""
        if node is None:
            self.connection.close(FORBIDDEN, "node_deleted")
        elif node.quarantine is not None:
            self.connection.close(FORBIDDEN, node.quarantine.code, message=node.quarantine.message)
        elif node.token_hash != self.token_hash:
            self.connection.close(FORBIDDEN, "token_rotated")
        elif node.epoch != self.epoch:
            self.supersede()
        elif not node.connected:
            # Somebody took this process for dead. What the agent is told by its next connection is true again.
            self.connection.close(RESTARTING, "lease_lost")

    def supersede(self) -> None:
        self.connection.close(SUPERSEDED, "superseded", message="Another agent connected with this node's token.")


class NodeLinks:
    """At most one live link a node; a newer one takes the place of an older."""

    def __init__(self) -> None:
        self._links: dict[NodeId, Link] = {}

    def __len__(self) -> int:
        return len(self._links)

    def all(self) -> Mapping[NodeId, Link]:
        return dict(self._links)

    def builds(self) -> Mapping[tuple[str, str], int]:
        """How many of the agents run which version and commit."""
        hellos = (link.connection.hello for link in self._links.values())
        return Counter((hello.agent_version, hello.agent_commit) for hello in hellos if hello is not None)

    def find(self, node_id: NodeId) -> Link | None:
        return self._links.get(node_id)

    def attach(self, node_id: NodeId, link: Link) -> None:
        self._links[node_id] = link

    def detach(self, node_id: NodeId, link: Link) -> None:
        """Forget the link, unless a newer one has taken its place."""
        if self._links.get(node_id) is link:
            del self._links[node_id]

    def cut(self, node_id: NodeId, *, code: int, reason: str, message: str = "") -> None:
        """Close the node's connection, if there is one."""
        link = self._links.get(node_id)
        if link is not None:
            link.connection.close(code, reason, message=message)

    def close_all(self, *, code: int, reason: str) -> None:
        for node_id in list(self._links):
            self.cut(node_id, code=code, reason=reason)

    def open(self, node_id: NodeId, kind: str, params: JsonObject) -> Stream:
        """Begin a stream with the agent. Raises Unavailable `node_offline`, `connection_lost`, `too_many_streams`."""
        link = self._links.get(node_id)
        if link is None:
            raise offline(node_id)
        return link.connection.open(kind, params)


def offline(node_id: NodeId) -> Unavailable:
    return Unavailable(
        "node_offline",
        "The node is not connected; it can be reached again when its agent is back.",
        retry_after_seconds=5,
        id=node_id,
    )
