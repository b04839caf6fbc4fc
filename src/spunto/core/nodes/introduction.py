"""What an agent says of itself in its hello, in the words of nodes; pure."""

from spunto.core.kernel.problem import Problem
from spunto.core.nodes.model import Agent, Capacity, Disk, Machine
from spunto.core.protocol.messages import DiskReport, Hello


def agent_of(hello: Hello) -> Agent:
    error = hello.engine.error
    return Agent(
        version=hello.agent_version,
        commit=hello.agent_commit,
        capabilities=hello.capabilities,
        instance_id=hello.instance_id,
        engine=hello.engine.name,
        engine_version=hello.engine.version,
        engine_problem=None if error is None else Problem(code="engine_unavailable", message=error),
        posture={name: value for name, value in hello.posture.items() if isinstance(value, str | bool)},
        labels=hello.labels,
        offers=capacity_of(hello),
        machine=_machine_of(hello),
        disk=None if hello.resources.disk is None else disk_of(hello.resources.disk),
    )


def capacity_of(hello: Hello) -> Capacity:
    """What the agent offers."""
    return Capacity(
        cpu_millis=hello.resources.cpu_millis,
        memory_bytes=hello.resources.memory_bytes,
        max_worker_cpu_millis=hello.resources.max_worker_cpu_millis,
    )


def disk_of(report: DiskReport) -> Disk:
    return Disk(
        total_bytes=report.total_bytes,
        free_bytes=report.free_bytes,
        reserve_bytes=report.reserve_bytes,
        total_files=report.total_files,
        free_files=report.free_files,
        reserve_files=report.reserve_files,
    )


def _machine_of(hello: Hello) -> Machine | None:
    cpu_millis, memory_bytes = hello.resources.machine_cpu_millis, hello.resources.machine_memory_bytes
    if cpu_millis is None or memory_bytes is None:
        return None
    return Machine(cpu_millis=cpu_millis, memory_bytes=memory_bytes)
