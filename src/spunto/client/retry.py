"""Which failed requests are sent again, and when."""

from dataclasses import dataclass
from enum import Enum

from spunto.core.kernel.backoff import BackOff


class Repeat(Enum):
    """How often a request may take effect."""

    ALWAYS = "reads, and writes that the server recognises as repeats"
    REFUSED = "only where the server never got it, or said that it did nothing"
    UNSENT = "only where the server never got it"
    NEVER = "not at all: its body was given once"


class Fault(Enum):
    """How a request failed."""

    UNSENT = "no connection, so the server has not seen it"
    ANSWER_LOST = "the connection broke; nobody knows what happened"
    REFUSED = "the server did nothing and said when to try again"


_REPEATABLE = {
    Fault.UNSENT: frozenset({Repeat.ALWAYS, Repeat.REFUSED, Repeat.UNSENT}),
    Fault.REFUSED: frozenset({Repeat.ALWAYS, Repeat.REFUSED}),
    Fault.ANSWER_LOST: frozenset({Repeat.ALWAYS}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """At most `attempts` tries. A server that asks for more than `patience_seconds` is not waited for."""

    attempts: int = 4
    base_seconds: float = 0.2
    cap_seconds: float = 3.0
    patience_seconds: float = 10.0

    def delay_seconds(
        self, fault: Fault, repeat: Repeat, *, attempt: int, jitter: float, retry_after_seconds: float | None = None
    ) -> float | None:
        """How long to wait after the failed try number `attempt` (from 1); None to give up. `jitter` is in [0, 1)."""
        if attempt >= self.attempts or repeat not in _REPEATABLE[fault]:
            return None
        asked_seconds = retry_after_seconds or 0.0
        if asked_seconds > self.patience_seconds:
            return None
        back_off = BackOff(base_seconds=self.base_seconds, cap_seconds=self.cap_seconds, least=0.5)
        return asked_seconds + back_off.seconds(attempt - 1, jitter=jitter)


NO_RETRY = RetryPolicy(attempts=1)
