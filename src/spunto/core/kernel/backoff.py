"""How long to wait before something that failed is tried again."""

from dataclasses import dataclass

# Far beyond any cap; a power of two that nobody needs could be more than a float holds.
_MAX_DOUBLINGS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """Twice as long after each failure, up to a cap.

    `least` is the share of it that is always waited. The rest is by chance, so that those who failed together
    do not come back together.
    """

    base_seconds: float
    cap_seconds: float
    least: float = 1.0

    def seconds(self, failures: int, *, jitter: float = 1.0) -> float:
        """The wait after so many failures before this one; `jitter` is between 0 and 1."""
        whole_seconds = min(self.cap_seconds, self.base_seconds * 2.0 ** min(failures, _MAX_DOUBLINGS))
        return whole_seconds * (self.least + (1 - self.least) * jitter)
