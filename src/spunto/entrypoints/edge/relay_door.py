"""Lets agents in that show a ticket, on connections whose head the front door has read."""

import asyncio

from spunto.adapters.lean_websocket import take_over
from spunto.entrypoints.edge.relays import Relays
from spunto.entrypoints.edge.seams import Handover, RequestHead
from spunto.entrypoints.edge.tickets import Tickets

_BEARER = b"bearer "


class RelayDoor:
    def __init__(self, relays: Relays, tickets: Tickets) -> None:
        self._relays = relays
        self._tickets = tickets

    def admit(self, request: RequestHead) -> Handover | None:
        """Make the connection a relay; None for whoever is no agent with a good ticket, which is good no more then."""
        given = [value for name, value in request.headers if name == b"authorization"]
        if request.method != b"GET" or len(given) != 1 or given[0][: len(_BEARER)].lower() != _BEARER:
            return None
        node_id = self._tickets.redeem(given[0][len(_BEARER) :].decode("latin-1"))
        if node_id is None:
            return None

        def take(transport: asyncio.Transport, unread: bytes) -> None:
            taken = take_over(transport, path=request.target, headers=request.headers, unread=unread)
            if taken is not None:
                self._relays.attach(node_id, taken)

        return Handover(take=take)
