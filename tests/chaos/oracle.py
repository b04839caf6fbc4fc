"""What must be there after everything that was acknowledged, compared with what is: pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

TRANSIENT = frozenset({"spawning", "starting", "stopping", "destroying"})


class Wanted(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    GONE = "gone"


@dataclass(slots=True)
class Oracle:
    """The last acknowledged intention for each worker, and which worker each spawn's key was answered with."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    _by_key: dict[str, str] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)

    def spawned(self, key: str, worker_id: str) -> None:
        """A repeat under the same key must be answered with the same worker."""
        if self._by_key.setdefault(key, worker_id) != worker_id:
            self.doubled.append(f"key {key} was answered with {self._by_key[key]} and {worker_id}")
        self.wanted[worker_id] = Wanted.RUNNING

    def asked(self, worker_id: str, wanted: Wanted) -> None:
        self.wanted[worker_id] = wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWorker:
    """A worker as the API tells of it."""

    id: str
    state: str
    problem: str | None
    container_id: str | None
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenContainer:
    id: str
    worker_id: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The other three views. `networks` and `volumes` by name and processes by pid say whose they are: a worker's id of
    the former, a container's id of the latter. `engine_processes` are the engine's own, such as shims."""

    workers: Sequence[SeenWorker]
    containers: Sequence[SeenContainer]
    networks: Mapping[str, str]
    volumes: Mapping[str, str]
    processes: Mapping[int, str]
    reserved: int
    engine_processes: Mapping[int, str] = field(default_factory=dict)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that should not be, each as a sentence; all empty is what must be reached.

    `given_up` and `engine_leftovers` are told beside it: they may come of an engine that was killed, and only of that.
    It may refuse a container for good, which the worker then says, and keeps shims that its API can't reach.
    """

    lost: Sequence[str]
    duplicates: Sequence[str]
    orphan_containers: Sequence[str]
    orphan_networks: Sequence[str]
    orphan_volumes: Sequence[str]
    orphan_processes: Sequence[str]
    transient: Sequence[str]
    overdue: Sequence[str]
    miscounted: Sequence[str]
    unanswered: Sequence[str]
    given_up: Sequence[str] = ()
    engine_leftovers: Sequence[str] = ()

    def __bool__(self) -> bool:
        return any(self.counts().values())

    def counts(self) -> dict[str, int]:
        """How many there are of each that must not be."""
        allowed = ("given_up", "engine_leftovers")
        return {each.name: len(getattr(self, each.name)) for each in fields(self) if each.name not in allowed}

    def sentences(self) -> list[str]:
        return [f"{each.name}: {sentence}" for each in fields(self) for sentence in getattr(self, each.name)]


class EngineFate(StrEnum):
    """What was done to the engine, which decides what may have come of it."""

    UNHARMED = "unharmed"
    KILLED = "killed, and its containers ran on"
    KILLED_WITH_CONTAINERS = "killed, and its containers with it when it came back"


def compare(oracle: Oracle, seen: Seen, *, engine: EngineFate = EngineFate.UNHARMED) -> Findings:
    workers = {worker.id: worker for worker in seen.workers}
    alive = {container.id for container in seen.containers if container.running}
    given_up = [] if engine is EngineFate.UNHARMED else [each for each in seen.workers if _is_given_up(oracle, each)]
    excused = {worker.id for worker in given_up}
    if engine is EngineFate.KILLED_WITH_CONTAINERS:
        excused |= {worker.id for worker in seen.workers if _has_ended(oracle, worker)}
    return Findings(
        lost=list(_lost(oracle, workers, seen.containers, excused)),
        duplicates=[*oracle.doubled, *_duplicates(oracle, workers, seen.containers)],
        orphan_containers=[f"{each.id[:12]} of {each.worker_id}" for each in _unknown(seen.containers, workers)],
        orphan_networks=[f"{name} of {owner}" for name, owner in seen.networks.items() if owner not in workers],
        orphan_volumes=[f"{name} of {owner}" for name, owner in seen.volumes.items() if owner not in workers],
        orphan_processes=[f"{pid} in {owner[:12]}" for pid, owner in seen.processes.items() if owner not in alive],
        transient=[f"{each.id} is {each.state}" for each in seen.workers if each.state in TRANSIENT],
        overdue=[f"{each.id} is {each.state}" for each in seen.workers if _is_overdue(each, seen.at)],
        miscounted=list(_miscounted(seen)),
        unanswered=oracle.unanswered,
        given_up=[f"{worker.id}: {worker.problem}" for worker in given_up],
        engine_leftovers=[
            f"{pid} of {owner[:12]}" for pid, owner in seen.engine_processes.items() if owner not in alive
        ],
    )


def _lost(
    oracle: Oracle, workers: Mapping[str, SeenWorker], containers: Sequence[SeenContainer], excused: Set[str]
) -> Iterator[str]:
    running = {container.worker_id for container in containers if container.running}
    for worker_id, wanted in oracle.wanted.items():
        worker = workers.get(worker_id)
        if worker is not None and worker.state in TRANSIENT:
            continue
        if (worker is None) != (wanted is Wanted.GONE):
            yield f"{worker_id} should be {wanted} and is {'gone' if worker is None else worker.state}"
        elif worker is not None and worker_id not in excused and worker.state != _STATES[wanted]:
            yield f"{worker_id} should be {wanted} and is {worker.state} ({worker.problem})"
        elif worker is not None and (worker.state == "ready") != (worker_id in running):
            yield f"{worker_id} is {worker.state}, and its container {'runs' if worker_id in running else 'does not'}"


_STATES = {Wanted.RUNNING: "ready", Wanted.STOPPED: "stopped"}


def _is_given_up(oracle: Oracle, worker: SeenWorker) -> bool:
    """Whether the engine refused for good to start it again, and the worker says so."""
    wanted = oracle.wanted.get(worker.id)
    return wanted is Wanted.RUNNING and worker.state == "error" and worker.problem == "engine_refused"


def _has_ended(oracle: Oracle, worker: SeenWorker) -> bool:
    """Whether it was stopped by an engine that took its containers along, and says so."""
    return oracle.wanted.get(worker.id) is Wanted.RUNNING and worker.state == "stopped" and worker.problem is not None


def _duplicates(
    oracle: Oracle, workers: Mapping[str, SeenWorker], containers: Sequence[SeenContainer]
) -> Iterator[str]:
    for worker_id, count in Counter(container.worker_id for container in containers).items():
        if count > 1:
            yield f"{worker_id} has {count} containers"
    for worker_id in workers.keys() - oracle.wanted.keys():
        yield f"{worker_id} was never acknowledged to anybody"


def _unknown(containers: Sequence[SeenContainer], workers: Mapping[str, SeenWorker]) -> list[SeenContainer]:
    return [container for container in containers if container.worker_id not in workers]


def _is_overdue(worker: SeenWorker, at: datetime) -> bool:
    return worker.state in TRANSIENT and worker.deadline_at is not None and worker.deadline_at < at


def _miscounted(seen: Seen) -> Iterator[str]:
    """What runs holds a reservation, what is stopped has given it back; what is in error may have either."""
    holding = sum(worker.state == "ready" or worker.state in TRANSIENT for worker in seen.workers)
    in_error = sum(worker.state == "error" for worker in seen.workers)
    if not holding <= seen.reserved <= holding + in_error:
        yield f"{seen.reserved} reservations for {holding} workers and {in_error} in error"
