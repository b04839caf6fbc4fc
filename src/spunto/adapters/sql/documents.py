"""Values of nodes, routes and projects as they stand in JSON columns."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from spunto.core.kernel.problem import Problem
from spunto.core.nodes.assignment import Observation
from spunto.core.nodes.model import Agent, Capacity, Disk, Machine, NodeLimits, Supersession
from spunto.core.protocol.messages import Phase
from spunto.core.routes.desired import Sharing


def problem_to_json(problem: Problem | None) -> dict[str, str] | None:
    return None if problem is None else {"code": problem.code, "message": problem.message}


def problem_from_json(body: Mapping[str, str] | None) -> Problem | None:
    return None if body is None else Problem(code=body["code"], message=body["message"])


def agent_to_json(agent: Agent | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    return {
        "version": agent.version,
        "commit": agent.commit,
        "instanceId": agent.instance_id,
        "engine": agent.engine,
        "engineVersion": agent.engine_version,
        "engineProblem": problem_to_json(agent.engine_problem),
        "posture": dict(agent.posture),
        "capabilities": list(agent.capabilities),
        "labels": dict(agent.labels),
        "offers": None if agent.offers is None else asdict(agent.offers),
        "machine": None if agent.machine is None else asdict(agent.machine),
        "disk": None if agent.disk is None else asdict(agent.disk),
    }


def agent_from_json(body: Mapping[str, Any] | None) -> Agent | None:
    if body is None:
        return None
    offers, machine, disk = body.get("offers"), body.get("machine"), body.get("disk")
    return Agent(
        version=body["version"],
        commit=body.get("commit", ""),
        instance_id=body["instanceId"],
        engine=body["engine"],
        engine_version=body["engineVersion"],
        engine_problem=problem_from_json(body["engineProblem"]),
        posture=body["posture"],
        # Agents of the first release, whose rows these are, knew workers alone.
        capabilities=tuple(body.get("capabilities", ("kind:worker",))),
        labels=body.get("labels", {}),
        offers=None if offers is None else Capacity(**offers),
        machine=None if machine is None else Machine(**machine),
        disk=None if disk is None else Disk(**disk),
    )


def limits_to_json(limits: NodeLimits) -> dict[str, int | None] | None:
    """None where there are none, as for most nodes."""
    return None if limits == NodeLimits() else asdict(limits)


def limits_from_json(body: Mapping[str, int | None] | None) -> NodeLimits:
    return NodeLimits() if body is None else NodeLimits(**body)


def supersessions_to_json(supersessions: Sequence[Supersession]) -> list[dict[str, str]] | None:
    """None where there are none, as for most nodes."""
    return [
        {"instanceId": each.instance_id, "at": each.at.isoformat(timespec="microseconds")} for each in supersessions
    ] or None


def supersessions_from_json(body: Sequence[Mapping[str, str]] | None) -> tuple[Supersession, ...]:
    return tuple(
        Supersession(instance_id=each["instanceId"], at=datetime.fromisoformat(each["at"])) for each in body or ()
    )


def observation_to_json(observed: Observation | None) -> dict[str, Any] | None:
    if observed is None:
        return None
    return {
        "generation": observed.generation,
        "phase": observed.phase.value,
        "containerId": observed.container_id,
        "containerState": observed.container_state,
        "exitCode": observed.exit_code,
        "problem": problem_to_json(observed.problem),
        "setup": None if observed.setup is None else dict(observed.setup),
        "at": observed.at.isoformat(timespec="microseconds"),
    }


def observation_from_json(body: Mapping[str, Any] | None) -> Observation | None:
    if body is None:
        return None
    return Observation(
        generation=body["generation"],
        phase=Phase(body["phase"]),
        container_id=body["containerId"],
        container_state=body["containerState"],
        exit_code=body["exitCode"],
        problem=problem_from_json(body["problem"]),
        setup=body["setup"],
        at=datetime.fromisoformat(body["at"]),
    )


def sharing_to_json(sharing: Mapping[int, Sharing]) -> dict[str, str]:
    return {str(port): how.value for port, how in sharing.items()}


def sharing_from_json(body: Mapping[str, str]) -> dict[int, Sharing]:
    return {int(port): Sharing(how) for port, how in body.items()}
