"""Pure reading of an engine's statistics: two raw samples make one `Stats`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spunto.adapters.runtimes.translate import moment
from spunto.core.executor.runtime import Stats


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer of GET /containers/{name}/stats, with the processor time used so far."""

    container_id: str
    at: datetime
    cpu_nanos: int
    body: Mapping[str, Any]


def sample(body: Mapping[str, Any] | None) -> Sample | None:
    """The sample; None for a container that does not run (Docker: the zero time, Podman: no body)."""
    at = moment((body or {}).get("read"))
    if body is None or at is None:
        return None
    container_id = body.get("id") or body.get("Id") or ""
    return Sample(container_id=container_id, at=at, cpu_nanos=body["cpu_stats"]["cpu_usage"]["total_usage"], body=body)


def stats(earlier: Sample, later: Sample) -> Stats:
    """What happened between the two samples of one container, and how things stand at the later one."""
    seconds = max((later.at - earlier.at).total_seconds(), 1e-6)
    memory = later.body.get("memory_stats") or {}
    networks = (later.body.get("networks") or {}).values()
    blocks = (later.body.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return Stats(
        cpu_percent=round(max(later.cpu_nanos - earlier.cpu_nanos, 0) / seconds / 1e7, 2),
        memory_bytes=_used_memory(memory),
        memory_limit_bytes=memory.get("limit", 0),
        pids=(later.body.get("pids_stats") or {}).get("current", 0),
        network_rx_bytes=sum(network["rx_bytes"] for network in networks),
        network_tx_bytes=sum(network["tx_bytes"] for network in networks),
        block_read_bytes=_moved(blocks, "read"),
        block_write_bytes=_moved(blocks, "write"),
        sampled_at=later.at,
    )


def _used_memory(memory: Mapping[str, Any]) -> int:
    """Without page cache that the kernel may drop at once, as `docker stats` counts (cgroup v1 and v2 names)."""
    details = memory.get("stats") or {}
    droppable: int = details.get("total_inactive_file", details.get("inactive_file", 0))
    usage: int = memory.get("usage", 0)
    return usage - droppable if droppable < usage else usage


def _moved(entries: Iterable[Mapping[str, Any]], operation: str) -> int:
    return sum(entry["value"] for entry in entries if str(entry["op"]).lower() == operation)
