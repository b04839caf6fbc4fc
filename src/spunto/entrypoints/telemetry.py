"""What the process tells of its own work, and to whom."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

from spunto.core.kernel.reconcile import Around

RequestTook: TypeAlias = Callable[[str, str, int, float], None]
"""Method, route template, status and seconds of a request that was answered."""


def _nobody(method: str, route: str, status: int, seconds: float) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Nothing is told unless somebody listens."""

    around_item: Around = lambda kind, subject_id: nullcontext()
    around_transaction: Callable[[str], AbstractContextManager[None]] | None = None
    statement_took: Callable[[float], None] | None = None
    request_took: RequestTook = _nobody


SILENT = Telemetry()
