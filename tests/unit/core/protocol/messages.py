"""Messages with defaults, for tests."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from spunto.core.protocol.messages import (
    EngineReport,
    Hello,
    Observed,
    ObservedItem,
    Phase,
    Resources,
    Welcome,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
ENGINE = EngineReport(name="docker", version="20.10")


def a_hello(**changes: Any) -> Hello:
    hello = Hello(
        agent_version="1.0",
        instance_id="agent-1",
        boot_id="boot-1",
        capabilities=("kind:worker",),
        engine=ENGINE,
        resources=Resources(cpu_millis=2000, memory_bytes=2**30, max_worker_cpu_millis=2000),
    )
    return replace(hello, **changes)


def a_welcome(**changes: Any) -> Welcome:
    return replace(Welcome(protocol=2, epoch=7, timeline_id="tml_1", node_id="nod_1", server_time=AT), **changes)


def observed(*ids: str, epoch: int = 7) -> Observed:
    items = (ObservedItem(kind="worker", id=each, generation=1, phase=Phase.RUNNING, at=AT) for each in ids)
    return Observed(epoch=epoch, items=tuple(items))
