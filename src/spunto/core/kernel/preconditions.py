"""What must still be so for a change to be made: nobody else changed the thing since its asker looked at it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spunto.core.kernel.errors import PreconditionFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """`holds` is told the thing as its use case would show it to the asker.

    It is asked in the transaction that changes the thing, whose write loses against any other one, so that what held
    holds until the change is made.
    """

    holds: Callable[[Any], bool]

    def require(self, shown: Any) -> None:
        """Raises PreconditionFailed `precondition_failed`."""
        if not self.holds(shown):
            raise PreconditionFailed(
                "precondition_failed",
                "It is not as you saw it any more; read it again, and repeat with its new ETag if you still want to.",
            )


def require(precondition: Precondition | None, shown: Any) -> None:
    """Raises PreconditionFailed where there is one and it does not hold."""
    if precondition is not None:
        precondition.require(shown)
