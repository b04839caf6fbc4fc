"""What a node's owner decides about it, and what it tells the server of itself."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from spunto.core.executor.policy import Policy
from spunto.core.executor.runtime import EngineInfo
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import DiskReport, EngineReport, Hello, Resources

# Measured with eight spawns at once on two cores: with two a core the engine idles, with eight each takes longer.
CONCURRENT_STARTS = max(4, 4 * (os.cpu_count() or 1))
DEFAULT_SUBNET_POOL = IPv4Network("10.208.0.0/14")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """`cpu_overcommit` is how many cpus are announced for each that is there. A container of a make that was never seen
    to last is watched for `lasting_seconds` before it counts as running. `posture` is what the agent says of the
    machine beside its engine. `disk_reserve_bytes` is what of the disk is left to the machine, None for the usual part;
    the disk itself is looked at each `disk_glance_seconds`, and what runs on it each `disk_seconds`."""

    node_id: str
    instance_id: str
    boot_id: str
    agent_version: str
    agent_commit: str = ""
    engine: str
    labels: Mapping[str, str] = field(default_factory=dict)
    subnet_pool: IPv4Network = DEFAULT_SUBNET_POOL
    policy: Policy = field(default_factory=Policy)
    posture: Mapping[str, str | bool] = field(default_factory=dict)
    cpu_overcommit: float = 4.0
    memory_reserve_bytes: int = 0
    disk_reserve_bytes: int | None = None
    concurrent_starts: int = CONCURRENT_STARTS
    stop_grace_seconds: float = 10.0
    engine_seconds: float = 150.0
    pull_seconds: float = 1800.0
    setup_seconds: float = 1800.0
    lasting_seconds: float = 1.0
    relist_seconds: float = 30.0
    disk_glance_seconds: float = 60.0
    disk_seconds: float = 60.0


def hello_of(
    settings: NodeSettings,
    info: EngineInfo | None,
    problem: Problem | None,
    *,
    disk: DiskReport | None,
    capabilities: Sequence[str],
) -> Hello:
    """The node's first word. Without an engine the machine's own size is announced, and the engine's problem."""
    return Hello(
        agent_version=settings.agent_version,
        agent_commit=settings.agent_commit,
        instance_id=settings.instance_id,
        boot_id=settings.boot_id,
        capabilities=tuple(capabilities),
        engine=engine_report(settings, info, problem),
        resources=replace(resources_of(settings, info), disk=disk),
        labels=dict(settings.labels),
        posture={**({} if info is None else info.posture), **settings.posture},
    )


def engine_report(settings: NodeSettings, info: EngineInfo | None, problem: Problem | None) -> EngineReport:
    return EngineReport(
        name=settings.engine if info is None else info.engine,
        version="" if info is None else info.version,
        error=None if problem is None else problem.message,
    )


def resources_of(settings: NodeSettings, info: EngineInfo | None) -> Resources:
    cpu_millis = 1000 * (os.cpu_count() or 1) if info is None else info.cpu_millis
    memory_bytes = _machine_memory_bytes() if info is None else info.memory_bytes
    return Resources(
        machine_cpu_millis=cpu_millis,
        machine_memory_bytes=memory_bytes,
        cpu_millis=int(cpu_millis * settings.cpu_overcommit),
        memory_bytes=max(0, memory_bytes - settings.memory_reserve_bytes),
        max_worker_cpu_millis=settings.policy.largest_cpu_millis(cpu_millis),
    )


def _machine_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
