"""An edge of the harness: its relays, with the real session at both ends, to agents that the server has dial it."""

from collections.abc import Callable
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.links import NodeLinks, offline
from spunto.core.nodes.model import NodeId
from spunto.core.protocol.relaying import DIAL
from spunto.core.protocol.transport import Transport
from spunto.entrypoints.edge.relays import Relays
from spunto.entrypoints.edge.tickets import Tickets
from spunto.testing.agent import no_edge

EDGE_URL: Final = "https://edge.harness"


class SimulatedEdge:
    """`links` are those of the server that runs now."""

    def __init__(self, links: Callable[[], NodeLinks], *, clock: Clock) -> None:
        self._links = links
        self.tickets = Tickets(clock)
        self.relays = Relays(self._ask_dial, edge_id="edg_harness", clock=clock, tickets=self.tickets)

    def answer(self, url: str, ticket: Secret, transport: Transport) -> None:
        """An agent dials, and this is the edge's end. Raises Unavailable, as a real agent's dialling does."""
        if url != EDGE_URL:
            no_edge(url, ticket, transport)
        node_id = self.tickets.redeem(ticket.reveal())
        if node_id is None:
            raise Unavailable("dial_failed", "The edge answered 404: the ticket is not good.")
        self.relays.attach(node_id, transport)

    async def _ask_dial(self, node_id: str, ticket: Secret) -> None:
        link = self._links().find(NodeId(node_id))
        if link is None:
            raise offline(NodeId(node_id))
        async with link.connection.open(DIAL, {"url": EDGE_URL, "ticket": ticket.reveal()}) as order:
            await order.read()
