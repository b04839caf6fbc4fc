"""What the engine last listed of this node, by subject, and how the server is kept told of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from spunto.core.executor.kinds.container import made_in
from spunto.core.executor.outbox import Outbox
from spunto.core.executor.runtime import Container
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.messages import DiskReport, EngineReport, InventoryItem
from spunto.core.specs.names import ID_LABEL, KIND_LABEL

# What the server could not keep is thus known to it again after ten minutes, for a list is made each half minute.
UNCHANGED_LISTS = 20


class Listing:
    """The containers of one list. Which subject a container is of, its label says."""

    def __init__(self, containers: Sequence[Container]) -> None:
        self._by_subject: defaultdict[str, dict[str, Container]] = defaultdict(dict)
        for container in containers:
            self._by_subject[container.labels.get(ID_LABEL, "")][container.name] = container
        self.items = tuple(_item(container) for container in containers)

    def of(self, subject_id: str) -> Mapping[str, Container]:
        """By name."""
        return self._by_subject.get(subject_id, {})


class InventoryReports:
    """Tells a connection the whole inventory at its beginning and when it, the engine or the disk has changed."""

    def __init__(self, outbox: Outbox, *, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._told: tuple[Sequence[InventoryItem], EngineReport, DiskReport | None] | None = None
        self._unchanged = 0

    def begin_anew(self) -> None:
        self._told = None

    def tell(self, items: Sequence[InventoryItem], engine: EngineReport, disk: DiskReport | None) -> None:
        reporter = self._outbox.reporter
        told = (items, engine, disk)
        if reporter is None or self._is_known(told):
            return
        try:
            reporter.inventory(items, engine=engine, disk=disk, sampled_at=self._clock.now())
        except Unavailable:
            self._outbox.detach(reporter)
        else:
            self._told, self._unchanged = told, 0

    def _is_known(self, told: tuple[Sequence[InventoryItem], EngineReport, DiskReport | None]) -> bool:
        self._unchanged += 1
        return self._told == told and self._unchanged < UNCHANGED_LISTS


def _item(container: Container) -> InventoryItem:
    return InventoryItem(
        container_id=container.container_id,
        name=container.name,
        kind=container.labels.get(KIND_LABEL, ""),
        id=container.labels.get(ID_LABEL, ""),
        generation=made_in(container),
        docker_state=container.state.value,
    )
