"""Structured logs on standard error: JSON lines for machines, readable ones on a terminal."""

import logging
import sys
from collections.abc import Callable
from typing import Literal

import structlog

from spunto.core.kernel.buckets import Buckets, Rate


def configure_logs(log_format: Literal["auto", "json", "console"], level: str) -> None:
    """Set up structlog for this process; call it once, at the start of `main`."""
    readable = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


class Seldom:
    """Keeps a client from filling the log: one line of a kind in so many seconds, which tells of those left out."""

    def __init__(self, *, monotonic: Callable[[], float], seconds: float = 10.0, burst: int = 1) -> None:
        self._monotonic = monotonic
        self._buckets = Buckets(Rate(per_second=burst / seconds, burst=burst))
        self._left_out: dict[str, int] = {}

    def left_out(self, kind: str) -> int | None:
        """How many lines of that kind were not written since the last one; None where this one is not to be either."""
        if self._buckets.take(kind, now=self._monotonic()) > 0:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        return self._left_out.pop(kind, 0)
