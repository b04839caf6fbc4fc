"""What an agent shows to be let in: made for one node, good once and for half a minute. Only its hash is kept."""

import hashlib
import secrets
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.secret import Secret

LIFE_SECONDS: Final = 30.0
_BYTES: Final = 32


class Tickets:
    """Each edge has its own, so that a ticket is good at the edge that made it alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, tuple[str, float]] = {}

    def new(self, node_id: str) -> Secret:
        """A ticket for that node."""
        self._drop_old()
        ticket = secrets.token_urlsafe(_BYTES)
        self._known[_hash_of(ticket)] = (node_id, self._clock.monotonic() + LIFE_SECONDS)
        return Secret(ticket)

    def redeem(self, ticket: str) -> str | None:
        """The node that it was made for; None for everything but a ticket that is good now, which it no longer is."""
        self._drop_old()
        node_id, _ = self._known.pop(_hash_of(ticket), (None, 0.0))
        return node_id

    def __len__(self) -> int:
        return len(self._known)

    def _drop_old(self) -> None:
        """They end in the order in which they were made."""
        now = self._clock.monotonic()
        while self._known and (oldest := next(iter(self._known.items())))[1][1] <= now:
            del self._known[oldest[0]]


def _hash_of(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
