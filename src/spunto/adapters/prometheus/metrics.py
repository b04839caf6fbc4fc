"""The figures of one process, as Prometheus reads them (docs/observability.md)."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from spunto.core.kernel.build import Build
from spunto.core.nodes.model import NodeStatus
from spunto.core.secrets.rotation import KeyUse
from spunto.core.workers.census import Census
from spunto.core.workers.model import STANDING

_REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_STATEMENT_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 1.0, 10.0)
_MOST_BUILDS: Final = 100
_LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Metrics:
    """Has a registry of its own, so that two servers in one process do not count together."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Histogram(
            "spunto_http_request_seconds",
            "Requests by method, route and status",
            ["method", "route", "status"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._items = Histogram(
            "spunto_reconcile_seconds", "Subjects that a reconcile loop handled", ["kind"], registry=registry
        )
        self._failures = Counter(
            "spunto_reconcile_failures", "Subjects that a loop could not handle", ["kind"], registry=registry
        )
        self._statements = Histogram(
            "spunto_database_statement_seconds",
            "Statements to the database",
            buckets=_STATEMENT_BUCKETS,
            registry=registry,
        )
        self._lag = Histogram(
            "spunto_event_loop_lag_seconds",
            "How much later than asked for the event loop came back",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self._nodes = Gauge("spunto_nodes", "Nodes by status", ["status"], registry=registry)
        self._workers = Gauge("spunto_workers", "Workers by state", ["state"], registry=registry)
        self._depth = Gauge("spunto_queue_due", "Subjects that are due and unclaimed", ["kind"], registry=registry)
        self._oldest = Gauge(
            "spunto_queue_oldest_due_seconds", "How long the oldest of them has been due", ["kind"], registry=registry
        )
        self._old_keys = Gauge(
            "spunto_secrets_under_old_keys",
            "Stored secrets that are not wrapped by the keyring's first key",
            registry=registry,
        )
        self._agent_info = Gauge(
            "spunto_agent_info",
            "Agents connected to this process, by their code",
            ["version", "commit"],
            registry=registry,
        )
        self._node_events = Counter(
            "spunto_node_events", "What happened between nodes and this process", ["event"], registry=registry
        )
        self._agents: Callable[[], Mapping[tuple[str, str], int]] = dict
        # Looked up once for each combination, because the library takes a lock and a detour each time.
        self._observed: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self.statement_took: Callable[[float], None] = self._statements.observe
        self.loop_was_late: Callable[[float], None] = self._lag.observe

    def count_live(self, *, sockets: Callable[[], int], agents: Callable[[], int]) -> None:
        """Ask these at every scrape."""
        open_sockets = Gauge("spunto_websockets_open", "Open WebSockets, agents' included", registry=self._registry)
        open_sockets.set_function(sockets)
        connected = Gauge("spunto_agents_connected", "Agents connected to this process", registry=self._registry)
        connected.set_function(agents)

    def tell_builds(self, own: Build, agents: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Who runs what; agents' versions and commits are asked for at every scrape."""
        build = Gauge("spunto_build_info", "This server's code", ["version", "commit"], registry=self._registry)
        build.labels(own.version, own.commit).set(1)
        self._agents = agents

    def node_event(self, event: str) -> None:
        self._node_events.labels(event).inc()

    def request_took(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        observe = self._observed.get(key)
        if observe is None:
            observe = self._observed[key] = self._requests.labels(method, route, str(status)).observe
        observe(seconds)

    @contextmanager
    def around_item(self, kind: str, _: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        except Exception:  # counted, and raised on to the loop, which handles it
            self._failures.labels(kind).inc()
            raise
        finally:
            self._items.labels(kind).observe(time.perf_counter() - begun)

    def take_census(self, census: Census, *, now: datetime) -> None:
        for status in NodeStatus:
            self._nodes.labels(status.value).set(census.nodes.get(status, 0))
        for state in STANDING:
            self._workers.labels(state.value).set(census.workers.get(state, 0))
        self._depth.clear()
        self._oldest.clear()
        for kind, backlog in census.backlogs.items():
            self._depth.labels(kind).set(backlog.depth)
            self._oldest.labels(kind).set((now - backlog.oldest_due_at).total_seconds())

    def take_keys(self, uses: Sequence[KeyUse]) -> None:
        self._old_keys.set(sum(use.secrets for use in uses if not use.is_current))

    def text(self) -> bytes:
        self._agent_info.clear()
        # Agents say what they like; a flood of versions must not become one of figures.
        for (version, commit), count in sorted(self._agents().items())[:_MOST_BUILDS]:
            self._agent_info.labels(version, commit).set(count)
        return generate_latest(self._registry)
