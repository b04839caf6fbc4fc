"""One worker and what it uses, as lines for people."""

from collections.abc import Iterable, Mapping
from typing import Any

from spunto.client.worker_models import Stats, Worker
from spunto.entrypoints.cli.rendering import instant, pairs, share, size, span


def worker_fields(worker: Worker) -> Iterable[tuple[str, str]]:
    yield from (("name", worker.name), ("state", worker.state), ("error", worker.error.message if worker.error else ""))
    yield "setup", worker.setup_status.phase if worker.setup_status else ""
    yield from (("container", worker.docker_state), ("tags", " ".join(worker.tags)))
    yield "version", f"v{worker.project_version}{' (outdated)' if worker.outdated else ''}"
    yield from (("project", worker.project_id), ("node", worker.node_id or ""))
    yield from (
        ("created", instant(worker.created_at)),
        ("stopped", instant(worker.stopped_at)),
        ("id", worker.id),
    )
    if worker.urls is not None:
        yield from (("any port", worker.urls.port), ("port 8080", worker.urls.code))
    used = worker.last_activity
    if used is not None:
        yield "last used", f"{instant(used.at)} by {used.source}"
    yield "idle timeout", span(worker.idle_timeout_seconds)
    # One that was said to be used just now, and no longer, is not kept.
    if worker.kept_until is not None and (used is None or worker.kept_until > used.at):
        yield "kept until", instant(worker.kept_until)
    if worker.stops_at is not None:
        yield "stops", f"{instant(worker.stops_at)} unless it is used before"
    if worker.stop_reason is not None:
        yield "stopped for", "nobody used it" if worker.stop_reason == "idle" else worker.stop_reason
    explanation = worker.explanation
    if explanation is not None:
        yield "wanted", f"{explanation.wanted} since {instant(explanation.wanted_since)}"
        yield (
            "observed",
            "nothing yet" if explanation.observed is None else pairs(_said(explanation.observed)),
        )
        yield "blocking", explanation.blocking or "nothing"
        yield "since", instant(explanation.since)
        yield "next", explanation.next or ""
        yield "deadline", instant(explanation.next_at)


def stats_fields(stats: Stats) -> Iterable[tuple[str, str]]:
    yield "cpu", f"{stats.cpu_percent:.1f} %"
    yield (
        "memory",
        share(size(stats.memory_bytes), size(stats.memory_limit_bytes) or "no limit"),
    )
    yield "processes", "" if stats.pids is None else str(stats.pids)
    yield "network", f"{size(stats.network_rx_bytes)} in, {size(stats.network_tx_bytes)} out"
    yield "block", f"{size(stats.block_read_bytes)} read, {size(stats.block_write_bytes)} written"
    yield "sampled", instant(stats.sampled_at)


def _said(observed: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return ((key, str(value)) for key, value in observed.items() if value is not None)
