"""Whether a worker that nobody uses is to be stopped: pure, from values to values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from spunto.core.nodes.model import Node
from spunto.core.routes.model import Edge
from spunto.core.workers.model import Worker

KIND: Final = "idle"
"""Of the loop that looks at workers when they may have become idle."""

MAX_KEEP_SECONDS: Final = 24 * 3600

TOLD_WITHIN: Final = timedelta(seconds=60)
"""How long whoever is connected again may take to tell what was used meanwhile."""
LOST_FOR: Final = timedelta(minutes=15)
"""How long an edge that the server has lost may go on serving those whom it knows."""
LOOK_AGAIN_SECONDS: Final = 30.0

_NOTED_EVERY: Final = timedelta(seconds=30)
_SET_UP: Final = ("ready", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`is_idle`: stop it now. Otherwise look again in so many seconds, or not before something happens."""

    is_idle: bool = False
    again_seconds: float | None = None


def judged(
    worker: Worker, *, node: Node | None, edges: Sequence[Edge], listening_since: datetime, now: datetime
) -> Verdict:
    """`listening_since` is when this process began to hear of uses. What can't be known is not idleness: a node, an
    edge or a server that was away may have much to tell, or serve somebody still."""
    stops_at = worker.stops_at
    if stops_at is None:
        return Verdict()
    if now < stops_at:
        return Verdict(again_seconds=(stops_at - now).total_seconds())
    if _is_being_set_up(worker.setup) or _is_in_the_dark(node, edges, listening_since, now):
        return Verdict(again_seconds=LOOK_AGAIN_SECONDS)
    return Verdict(is_idle=True)


def is_news(before: Worker, after: Worker) -> bool:
    """Whether a use is worth a write: the last one that was told is some time ago, or the worker would be stopped too
    early."""
    timeout_seconds = before.idle_timeout_seconds
    every = _NOTED_EVERY if timeout_seconds is None else min(_NOTED_EVERY, timedelta(seconds=timeout_seconds / 4))
    if after.last_activity_at - before.last_activity_at >= every:
        return True
    return before.stops_at is not None and after.stops_at is not None and after.stops_at - before.stops_at >= every


def _is_being_set_up(setup: Mapping[str, Any] | None) -> bool:
    return setup is not None and setup.get("phase") not in _SET_UP


def _is_in_the_dark(node: Node | None, edges: Sequence[Edge], listening_since: datetime, now: datetime) -> bool:
    if node is None or not node.connected or node.connection_changed_at is None:
        return True
    if now - max(node.connection_changed_at, listening_since) < TOLD_WITHIN:
        return True
    return any(each.lease_until is not None and now - LOST_FOR < each.lease_until <= now for each in edges)
