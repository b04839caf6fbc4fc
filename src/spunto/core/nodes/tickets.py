"""How one server process shows another of the same installation who it is: a ticket, good once and for a minute."""

import secrets
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol, Self

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unauthenticated
from spunto.core.nodes.model import ReplicaId

LEEWAY_SECONDS: Final = 60
_SCHEME: Final = "Spunto-Replica"
_MAX_SEEN: Final = 10_000


class Seal(Protocol):
    """A keyed seal that every process with this installation's keys makes and knows."""

    def sign(self, text: str) -> str: ...

    def is_good(self, text: str, seal: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """From one process to one other, on one timeline of the database; `nonce` makes it unique."""

    from_id: ReplicaId
    to_id: ReplicaId
    timeline_id: str
    at: int
    nonce: str

    @property
    def text(self) -> str:
        """What is sealed."""
        return "\n".join((_SCHEME, "1", self.timeline_id, self.from_id, self.to_id, str(self.at), self.nonce))

    def header(self, seal: Seal) -> str:
        """As the `Authorization` header."""
        return f"{_SCHEME} {self.from_id} {self.to_id} {self.at} {self.nonce} {seal.sign(self.text)}"

    @classmethod
    def new(cls, *, from_id: ReplicaId, to_id: ReplicaId, timeline_id: str, clock: Clock) -> Self:
        at = int(clock.now().timestamp())
        return cls(from_id=from_id, to_id=to_id, timeline_id=timeline_id, at=at, nonce=secrets.token_hex(16))


class Turnstile:
    """Lets each good ticket for this process through once."""

    def __init__(self, *, own_id: ReplicaId, timeline_id: str, seal: Seal, clock: Clock) -> None:
        self._own_id = own_id
        self._timeline_id = timeline_id
        self._seal = seal
        self._clock = clock
        self._seen: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def admit(self, header: str) -> ReplicaId:
        """Who comes. Raises Unauthenticated for everything but a fresh ticket to this very process."""
        match header.split(" "):
            case [scheme, from_id, to_id, at, nonce, seal] if scheme == _SCHEME and at.isdecimal() and len(at) < 16:
                ticket = Ticket(
                    from_id=ReplicaId(from_id),
                    to_id=ReplicaId(to_id),
                    timeline_id=self._timeline_id,
                    at=int(at),
                    nonce=nonce,
                )
                if self._is_good(ticket, seal):
                    return ticket.from_id
        raise Unauthenticated("replica_ticket_not_good", "The ticket is not one of this installation, or not fresh.")

    def _is_good(self, ticket: Ticket, seal: str) -> bool:
        is_fresh = abs(ticket.at - self._clock.now().timestamp()) <= LEEWAY_SECONDS
        if not is_fresh or ticket.to_id != self._own_id or not self._seal.is_good(ticket.text, seal):
            return False
        return self._is_new(ticket.nonce)

    def _is_new(self, nonce: str) -> bool:
        """Nonces are remembered for longer than a ticket can be good; only good tickets get this far."""
        now = self._clock.monotonic()
        while self._order and self._order[0][0] < now - 3 * LEEWAY_SECONDS:
            self._seen.discard(self._order.popleft()[1])
        if nonce in self._seen or len(self._seen) >= _MAX_SEEN:
            return False
        self._seen.add(nonce)
        self._order.append((now, nonce))
        return True
