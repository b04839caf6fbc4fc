"""What the process tells of its own work, and to whom."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

from spunto.core.kernel.reconcile import Around

RequestTook: TypeAlias = Callable[[str, str, int, float], None]
"""Method, route template, status and seconds of a request that was answered."""
RequestCame: TypeAlias = Callable[[str, str], None]
"""Route template, empty for a path that nothing stands at, and id of a request that came in."""


def _nobody(method: str, route: str, status: int, seconds: float) -> None:
    pass


def _no_one(event: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Nothing is told unless somebody listens."""

    around_item: Around = lambda kind, subject_id: nullcontext()
    around_transaction: Callable[[], AbstractContextManager[None]] | None = None
    around_statement: Callable[[str, str, str], AbstractContextManager[None]] | None = None
    """Entered with the database's dialect, the operation and the table."""
    statement_took: Callable[[float], None] | None = None
    stand_before: Callable[[Any], Any] | None = None
    """Makes the ASGI application that stands before the one it is given."""
    request_came: RequestCame | None = None
    request_took: RequestTook = _nobody
    node_event: Callable[[str], None] = _no_one
    """Told by its name what happened between a node and this process."""


SILENT = Telemetry()
