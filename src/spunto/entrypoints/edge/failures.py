"""Who showed too many credentials that are not good: their address waits, and the server is not asked meanwhile."""

from typing import Final

from spunto.core.kernel.buckets import Buckets, Rate
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import QuotaExceeded
from spunto.core.kernel.secret import Secret

RATE: Final = Rate(per_second=20 / 60, burst=20)
"""As the server's own of credentials that are not good."""
_MAX_KNOWN: Final = 10_000


class Failures:
    """By address. A credential that was good lately is not refused for the failures of its neighbours."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets = Buckets(RATE)
        self._known: dict[int, None] = {}

    def require_patience(self, address: str, credential: Secret) -> None:
        """Raises QuotaExceeded `rate_limited`."""
        if hash(credential.reveal()) in self._known or not len(self._buckets):
            return
        wait_seconds = self._buckets.wait_seconds(address, now=self._clock.monotonic())
        if wait_seconds > 0:
            raise QuotaExceeded(
                "rate_limited",
                "Too many tokens, links or codes from your address were not good; wait as long as Retry-After says.",
                retry_after_seconds=wait_seconds,
            )

    def note(self, address: str) -> None:
        """One was not good."""
        self._buckets.take(address, now=self._clock.monotonic())

    def remember(self, credential: Secret) -> None:
        """It was good."""
        # Its hash stands for it as long as this process lives, and is of no use to anybody.
        known = hash(credential.reveal())
        if known in self._known:
            return
        if len(self._known) >= _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[known] = None
