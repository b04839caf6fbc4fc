"""Decides when to dial again after a connection has ended; pure."""

from dataclasses import dataclass

from spunto.core.kernel.backoff import BackOff
from spunto.core.protocol import closing
from spunto.core.protocol.events import Closed

# All of the wait is by chance: every agent of a server lost it at the same moment.
FAST = BackOff(base_seconds=0.5, cap_seconds=3.0, least=0.0)
SLOW = BackOff(base_seconds=0.5, cap_seconds=30.0, least=0.0)
FAST_PHASE_SECONDS = 60.0
STABLE_SECONDS = 60.0
_RESTART_SECONDS = 3.0
_SUPERSEDED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Since when the server has not been reached for good, and how often it was tried."""

    since: float
    attempts: int = 0

    def after(self, *, connected_seconds: float, now: float) -> "Outage":
        """One more attempt has ended. The end of any connection begins a new outage, for the server was there a moment
        ago; only one that held for a while lets the waits grow from the beginning."""
        if connected_seconds >= STABLE_SECONDS:
            return Outage(since=now)
        if connected_seconds > 0:
            return Outage(since=now, attempts=self.attempts + 1)
        return Outage(since=self.since, attempts=self.attempts + 1)


def wait_seconds(closed: Closed, outage: Outage, *, now: float, jitter: float) -> float | None:
    """How long to stay away; None is until the operator does something. `jitter` is between 0 and 1."""
    if closed.code in (closing.UNAUTHENTICATED, closing.FORBIDDEN):
        return None
    asked = closed.retry_after_seconds
    if closed.code == closing.SUPERSEDED:
        return max(_SUPERSEDED_SECONDS, asked or 0.0) * (1 + jitter / 2)
    if asked is not None:
        return asked * (1 + jitter / 4)
    if closed.code == closing.RESTARTING:
        return _RESTART_SECONDS * jitter
    if closed.code in (closing.BUSY, closing.BAD_PROTOCOL, closing.FLOODING):
        return SLOW.cap_seconds * (0.5 + jitter / 2)
    back_off = FAST if now - outage.since < FAST_PHASE_SECONDS else SLOW
    return back_off.seconds(outage.attempts, jitter=jitter)
