"""The way that kinds with one container go: pull, create, start, stop, remove."""

import re
from collections.abc import Sequence

from spunto.core.executor.actions import (
    Action,
    Create,
    EnsureNetwork,
    Outcome,
    Pull,
    Remove,
    RemoveNetwork,
    RemoveVolume,
    Start,
)
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.runtime import Container, ContainerSpec, ContainerState
from spunto.core.executor.seen import Names, Seen
from spunto.core.protocol.messages import Phase
from spunto.core.specs.names import GENERATION_LABEL

_GENERATION = re.compile(r"[0-9]{1,15}\Z")


def made_in(container: Container) -> int:
    """The generation that asked for this container; 0 where its label says nothing sensible."""
    text = container.labels.get(GENERATION_LABEL, "")
    return int(text) if _GENERATION.match(text) else 0


def runs(container: Container | None) -> bool:
    """Also one that somebody paused: it holds its room, and goes on where it was."""
    return container is not None and container.state in (ContainerState.RUNNING, ContainerState.PAUSED)


def is_paused(container: Container | None) -> bool:
    return container is not None and container.state is ContainerState.PAUSED


def towards_absence(own: Names, seen: Seen, ledger: Ledger) -> Action | None:
    """Containers go first, then networks, then volumes."""
    for container in (*seen.containers, *seen.aside):
        return Remove(name=container)
    for network in _standing(own.networks, ledger):
        return RemoveNetwork(name=network)
    for volume in _standing(own.volumes, ledger):
        return RemoveVolume(name=volume)
    return None


def is_gone(own: Names, seen: Seen, ledger: Ledger) -> bool:
    return towards_absence(own, seen, ledger) is None


def _standing(names: Sequence[str], ledger: Ledger) -> list[str]:
    return [name for name in names if name not in ledger.removed]


def towards_created(
    spec: ContainerSpec, seen: Seen, ledger: Ledger, *, generation: int, network: EnsureNetwork | None
) -> Action:
    """Pulls only an image that the engine turned out to lack. `network` is ensured right before the container is made;
    None where it is somebody else's."""
    if ledger.lacked_image_in == generation:
        return Pull(image=spec.image)
    if network is not None and network.name not in seen.networks:
        return network
    return Create(spec=spec)


def towards_started(container: Container, ledger: Ledger) -> Action:
    """A container that the engine refused to start is made anew, once."""
    refused = container.container_id == ledger.refused_id
    return Remove(name=container.name) if refused else Start(name=container.name)


def phase_on_the_way(seen: Seen, ledger: Ledger, *, generation: int, doing: Action | None) -> Phase:
    if seen.container is not None:
        return Phase.STARTING
    pulls = isinstance(doing, Pull) or ledger.lacked_image_in == generation
    return Phase.PULLING if pulls else Phase.CREATING


def after(action: Action, outcome: Outcome, ledger: Ledger) -> Ledger:
    """What every kind with a container remembers."""
    match action:
        case Pull():
            return ledger.pulled()
        case Remove():
            return ledger.container_removed()
        case RemoveNetwork(name=name) | RemoveVolume(name=name):
            return ledger.without(name)
        case _:
            return ledger
