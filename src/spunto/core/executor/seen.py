"""What a node sees of one subject on its engine."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from spunto.core.executor.actions import (
    Action,
    Create,
    EnsureNetwork,
    Outcome,
    Pull,
    Remove,
    RemoveNetwork,
    RemoveVolume,
    Rename,
    Start,
)
from spunto.core.executor.runtime import Container, ContainerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What to look at. `aside` are names that a container has while another one takes its place.
    `by_label` is for who does not know the names: everything that bears the subject's label. With `strays` the engine
    listed containers of the subject that bear none of the names, and they are looked at as well."""

    containers: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    by_label: bool = False
    strays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Ours alone: what bears one of the names, but not our labels, is not seen.

    Networks, volumes and images are here if the kind looks at them, or has just made or removed them.
    `aside` are containers whose place others are taking.
    `ended` are the containers that ended before they were sure to run, from their start to the next note of it.
    """

    containers: Mapping[str, Container] = field(default_factory=dict)
    networks: Set[str] = frozenset()
    volumes: Set[str] = frozenset()
    images: Set[str] = frozenset()
    aside: Mapping[str, Container] = field(default_factory=dict)
    ended: Set[str] = frozenset()

    @property
    def container(self) -> Container | None:
        """The subject's first container, which most have as their only one."""
        return next(iter(self.containers.values()), None)

    def noticed(self) -> "Seen":
        """Once it was noted that something ended, the next start of it is another one."""
        return replace(self, ended=frozenset()) if self.ended else self

    def after(self, action: Action, outcome: Outcome) -> "Seen":
        """As the engine would say it now; asking would cost a spawn several milliseconds."""
        match action:
            case Pull(image=image):
                return replace(self, images=self.images | {image})
            case EnsureNetwork(name=name):
                return replace(self, networks=self.networks | {name})
            case Create(spec=spec) if outcome.container is not None:
                # A network that was ensured for this container is ensured again for the next one.
                return self._with(spec.name, outcome.container, networks=self.networks - {spec.network})
            case Start(name=name) if outcome.container is not None:
                ended = {name} if outcome.container.state is ContainerState.EXITED else set()
                return replace(self._with(name, outcome.container), ended=self.ended - {name} | ended)
            case Rename(name=name, new_name=new_name) if name in self.containers:
                named = replace(self.containers[name], name=new_name)
                return replace(self, containers=_without(self.containers, name), aside={**self.aside, new_name: named})
            case Rename(name=name, new_name=new_name) if name in self.aside:
                named = replace(self.aside[name], name=new_name)
                return replace(self, containers={**self.containers, new_name: named}, aside=_without(self.aside, name))
            case Remove(name=name):
                return replace(self, containers=_without(self.containers, name), aside=_without(self.aside, name))
            case RemoveNetwork(name=name):
                return replace(self, networks=self.networks - {name})
            case RemoveVolume(name=name):
                return replace(self, volumes=self.volumes - {name})
            case _:
                return self

    def _with(self, name: str, container: Container, *, networks: Set[str] | None = None) -> "Seen":
        known = self.networks if networks is None else networks
        return replace(self, containers={**self.containers, name: container}, networks=known)


def _without(containers: Mapping[str, Container], name: str) -> Mapping[str, Container]:
    return {key: each for key, each in containers.items() if key != name}


NOTHING = Seen()
