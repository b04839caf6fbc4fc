"""Lets agents in that show a ticket, on connections whose head the front door has read."""

import asyncio
from collections.abc import Sequence

from spunto.adapters.lean_websocket import take_over
from spunto.core.protocol.relaying import RELAY_PATH
from spunto.entrypoints.edge.relays import Relays
from spunto.entrypoints.edge.tickets import Tickets

_PATH = RELAY_PATH.encode()
_BEARER = b"bearer "


class RelayDoor:
    def __init__(self, relays: Relays, tickets: Tickets) -> None:
        self._relays = relays
        self._tickets = tickets

    def take_over(
        self, transport: asyncio.Transport, *, path: bytes, headers: Sequence[tuple[bytes, bytes]], unread: bytes
    ) -> bool:
        """Make the connection a relay; False for whoever is no agent with a good ticket, who gets 404 from the caller.

        With True the transport is no longer the caller's: nothing that comes on it reaches its protocol. `headers` are
        those of a GET, with names in lower case, and `unread` is what was read behind them.
        """
        if path != _PATH:
            return False
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1 or given[0][: len(_BEARER)].lower() != _BEARER:
            return False
        node_id = self._tickets.redeem(given[0][len(_BEARER) :].decode("latin-1"))
        if node_id is None:
            return False
        taken = take_over(transport, path=path, headers=headers, unread=unread)
        if taken is not None:
            self._relays.attach(node_id, taken)
        return True
