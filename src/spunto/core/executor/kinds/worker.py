"""A worker on its node: one container on a network of its own, with a workspace that outlives it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spunto.core.executor.actions import Action, Create, EnsureNetwork, Outcome, Pull, Remove, Rename, Run, Start, Stop
from spunto.core.executor.item import Item
from spunto.core.executor.kinds import container as common
from spunto.core.executor.kinds.kind import File, Kind, Now, Report
from spunto.core.executor.kinds.setup import (
    STATUS_PATH,
    Setup,
    Stage,
    command_of,
    setup_from_json,
    setup_to_json,
)
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.runtime import Container, ContainerSpec, Mount
from spunto.core.executor.seen import Names, Seen
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import Phase
from spunto.core.specs.names import labels, labels_of_generation
from spunto.core.specs.worker import KIND, Power, WorkerSpec, container_name, kept_name, network_name, volume_name

WORKSPACE = "/workspace"
CONTAINER_LOST = Problem(
    code="container_lost",
    message="The container was removed outside Spunto; starting the worker makes it anew, /workspace is kept.",
)
OUT_OF_MEMORY = Problem(
    code="out_of_memory",
    message="The worker was stopped because it used more memory than it has; give the project more and rebuild it.",
)
PAUSED = Problem(
    code="container_paused",
    message="Somebody paused the container on its node, so that nothing in it goes on; unpause it there, or stop the "
    "worker and start it.",
)
SECRETS_AWAITED = Problem(
    code="secrets_awaited",
    message="The worker waits for its owner's secrets, which the server sends again when it can read them.",
)


class WorkerKind(Kind[WorkerSpec]):
    @property
    def name(self) -> str:
        return KIND

    def wants(self, subject_id: str) -> Names:
        return Names(containers=(container_name(subject_id),), aside=(kept_name(subject_id),))

    def next_action(self, item: Item[WorkerSpec], seen: Seen, ledger: Ledger, now: Now) -> Action | None:
        if item.spec is None:
            return common.towards_absence(_belongings(item.id), seen, ledger) if item.is_absent else None
        if item.spec.power is Power.STOPPED:
            return _stop_all(seen) or _put_back(item, item.spec, seen)
        return _towards_running(item, item.spec, seen, ledger)

    def obsolete(self, action: Action, item: Item[WorkerSpec]) -> bool:
        spec = item.spec
        if isinstance(action, Pull):
            return spec is None or spec.power is Power.STOPPED or spec.image != action.image
        if isinstance(action, Run):
            return spec is None or spec.power is Power.STOPPED or spec.made_in != action.made_in
        return isinstance(action, Stop) and item.is_absent

    def noticed(self, item: Item[WorkerSpec], seen: Seen, ledger: Ledger) -> Ledger:
        """A container that runs as wanted, or did so for a moment, has run in this generation, once and for all."""
        spec, container = item.spec, seen.container
        if spec is None or spec.power is Power.STOPPED or container is None:
            return ledger
        if common.made_in(container) != spec.made_in:
            return ledger
        setup = setup_of(ledger)
        if common.runs(container) and (ledger.ran_generation != item.generation or setup.is_unbegun):
            return _with(ledger.ran(item.generation), setup.started(spec, at=container.started_at))
        if common.runs(container) and setup.is_of_another_start(container.started_at):
            return _with(ledger, setup.starting(container).started(spec, at=container.started_at))
        return ledger.ran(item.generation) if container.name in seen.ended else ledger

    def before(self, action: Action, seen: Seen, ledger: Ledger) -> Ledger:
        if isinstance(action, Start) and seen.container is not None:
            return _with(ledger, setup_of(ledger).starting(seen.container))
        if isinstance(action, Rename) and action.name in seen.aside:
            return _with(ledger, setup_of(ledger).created())
        return _with(ledger, setup_of(ledger).running_now(Stage(action.stage))) if isinstance(action, Run) else ledger

    def after(self, action: Action, outcome: Outcome, ledger: Ledger) -> Ledger:
        ledger, setup, seconds = common.after(action, outcome, ledger), setup_of(ledger), outcome.seconds
        match action:
            case Pull():
                return _with(ledger, setup.timed("pullSeconds", seconds))
            case EnsureNetwork():
                return _with(ledger, setup.timed("createSeconds", seconds))
            case Create():
                return _with(ledger, setup.created().timed("createSeconds", seconds, anew=False))
            case Start():
                return _with(ledger, setup.timed("startSeconds", seconds))
            case Run():
                return _with(ledger, setup.ended(outcome))
            case _:
                return ledger

    def interrupted(self, ledger: Ledger) -> Ledger:
        """The setup command that was under way has an unknown end."""
        setup = setup_of(ledger)
        return ledger if setup.running is None else _with(ledger, setup.interrupted())

    def observed(self, item: Item[WorkerSpec], seen: Seen, ledger: Ledger, doing: Action | None) -> Report:
        report, status = _report_of(item, seen, ledger, doing), setup_of(ledger).status
        if status is None:
            return report
        file = File(container=container_name(item.id), path=STATUS_PATH, content=status)
        return replace(report, setup=status, file=file)

    def knows(self, own: Mapping[str, Any]) -> bool:
        try:
            setup_from_json(own)
        except (KeyError, ValueError, TypeError):
            return False
        return True


def setup_of(ledger: Ledger) -> Setup:
    return setup_from_json(ledger.own)


def _with(ledger: Ledger, setup: Setup) -> Ledger:
    return ledger if setup == setup_of(ledger) else replace(ledger, own=setup_to_json(setup))


def _belongings(subject_id: str) -> Names:
    """What goes with the worker; its network and volume are not looked at as long as it stands."""
    return Names(networks=(network_name(subject_id),), volumes=(volume_name(subject_id),))


def _towards_running(item: Item[WorkerSpec], spec: WorkerSpec, seen: Seen, ledger: Ledger) -> Action | None:
    container, kept = seen.container, _kept(item, spec, seen)
    making_way = _make_way(item, spec, container, kept)
    if making_way is not None:
        return making_way
    if container is not None and common.made_in(container) != spec.made_in:
        return None
    if ledger.ran_generation == item.generation:
        return _next_setup(spec, container, ledger) or _let_go(container, kept, setup_of(ledger))
    if container is not None:
        return common.towards_started(container, ledger)
    if item.lacks_secrets:
        return None
    network = EnsureNetwork(name=network_name(item.id), labels=labels(KIND, item.id, org_id=spec.org_id))
    return common.towards_created(container_spec(item, spec), seen, ledger, generation=item.generation, network=network)


def _stop_all(seen: Seen) -> Stop | None:
    running = (each.name for each in (*seen.containers.values(), *seen.aside.values()) if common.runs(each))
    return next((Stop(name=name) for name in running), None)


def _put_back(item: Item[WorkerSpec], spec: WorkerSpec, seen: Seen) -> Remove | Rename | None:
    """The way back where nothing is to run: what a rebuild made goes, and the container before has its name again."""
    kept = seen.aside.get(kept_name(item.id))
    if kept is None or common.made_in(kept) != spec.made_in:
        return None
    if seen.container is not None:
        return Remove(name=seen.container.name)
    return Rename(name=kept.name, new_name=container_name(item.id))


def _make_way(
    item: Item[WorkerSpec], spec: WorkerSpec, container: Container | None, kept: Container | None
) -> Action | None:
    """Towards the wanted container being the only one that may run, with the one that it replaces kept aside.

    Nothing of it depends on what was done before a crash: the containers' own labels say how far it is.
    """
    if kept is not None and common.made_in(kept) not in (spec.keeps, spec.made_in):
        return Remove(name=kept.name)
    if kept is not None and common.runs(kept):
        return Stop(name=kept.name)
    if container is None:
        back = kept is not None and common.made_in(kept) == spec.made_in
        return Rename(name=kept_name(item.id), new_name=container_name(item.id)) if back else None
    if common.made_in(container) == spec.made_in:
        return None
    if kept is not None or common.made_in(container) != spec.keeps:
        return Remove(name=container.name)
    if item.lacks_secrets:
        return None
    return Stop(name=container.name) if common.runs(container) else _put_aside(item, container)


def _kept(item: Item[WorkerSpec], spec: WorkerSpec, seen: Seen) -> Container | None:
    """The container whose place another one takes; beside that one it may bear a name that somebody gave it."""
    others = (each for each in seen.containers.values() if each is not seen.container)
    renamed = (each for each in others if common.made_in(each) == spec.keeps)
    return seen.aside.get(kept_name(item.id)) or next(renamed, None)


def _put_aside(item: Item[WorkerSpec], container: Container) -> Rename:
    return Rename(name=container.name, new_name=kept_name(item.id))


def _let_go(container: Container | None, kept: Container | None, setup: Setup) -> Remove | None:
    """Once the new container is ready, there is no way back to the one before."""
    if kept is None or setup.due or setup.is_spoilt:
        return None
    return Remove(name=kept.name) if common.runs(container) else None


def _next_setup(spec: WorkerSpec, container: Container | None, ledger: Ledger) -> Action | None:
    if container is None or not common.runs(container) or common.is_paused(container):
        return None
    for stage in setup_of(ledger).due:
        command = command_of(spec, stage)
        if command:
            return Run(
                name=container.name,
                made_in=spec.made_in,
                stage=stage.value,
                command=command,
                working_dir=WORKSPACE,
            )
    return None


def container_spec(item: Item[WorkerSpec], spec: WorkerSpec) -> ContainerSpec:
    """Of variables that bear one name the secret wins over the project's, and the platform's over all."""
    name = container_name(item.id)
    return ContainerSpec(
        name=name,
        image=spec.image,
        network=network_name(item.id),
        hostname=name,
        labels=labels_of_generation(KIND, item.id, org_id=spec.org_id, made_in=spec.made_in),
        env={
            **spec.env,
            **{name: value.reveal() for name, value in (item.secrets or {}).items()},
            "SPUNTO_WORKER_ID": item.id,
            "SPUNTO_ORG_ID": spec.org_id,
        },
        working_dir=WORKSPACE,
        mounts=(Mount(volume=volume_name(item.id), path=WORKSPACE),),
        cpu_millis=spec.cpu_millis,
        memory_bytes=spec.memory_bytes,
        pids=spec.pids,
    )


def _report_of(item: Item[WorkerSpec], seen: Seen, ledger: Ledger, doing: Action | None) -> Report:
    container, spec = seen.container, item.spec
    if spec is None:
        gone = common.is_gone(_belongings(item.id), seen, ledger)
        return Report(phase=Phase.ABSENT if gone else Phase.REMOVING)
    if spec.power is Power.STOPPED:
        return Report(phase=Phase.STOPPED if _stop_all(seen) is None else Phase.STOPPING)
    if container is not None and common.made_in(container) != spec.made_in:
        return Report(phase=Phase.CREATING, awaits=SECRETS_AWAITED if item.lacks_secrets else None)
    if ledger.ran_generation == item.generation:
        return _report_after_running(container)
    phase = common.phase_on_the_way(seen, ledger, generation=item.generation, doing=doing)
    return Report(phase=phase, awaits=SECRETS_AWAITED if container is None and item.lacks_secrets else None)


def _report_after_running(container: Container | None) -> Report:
    if container is None:
        return Report(phase=Phase.FAILED, problem=CONTAINER_LOST)
    if common.runs(container):
        return Report(phase=Phase.RUNNING, problem=PAUSED if common.is_paused(container) else None)
    return Report(phase=Phase.STOPPED, problem=OUT_OF_MEMORY if container.oom_killed else None)
