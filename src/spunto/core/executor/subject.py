"""One subject on its node while the agent runs: what is wanted, seen, remembered and under way."""

import asyncio
from dataclasses import dataclass, field, replace

from spunto.core.executor.journal import Entry
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.plan import CALM, Action, Assigned, CreateContainer, Trouble, is_obsolete, read_item
from spunto.core.executor.runtime import Container, ContainerState
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.wakeups import Wakeup
from spunto.core.protocol.messages import DesiredItem

_OWN_ECHOES = frozenset({"create", "start", "init", "mount"})


@dataclass(slots=True, kw_only=True, eq=False)
class Subject:
    """`seen`: it has been looked at since the start; `stale`: it has to be looked at before the next step.

    `desired` is what the journal gets, so it never holds secrets; `item` has them until the container has run.
    `task` lives while there is something to do, and `breaker` while an action does.
    """

    desired: DesiredItem
    item: Assigned
    ledger: Ledger
    wakeup: Wakeup
    container: Container | None = None
    seen: bool = False
    stale: bool = True
    trouble: Trouble = CALM
    timings: dict[str, float] = field(default_factory=dict)
    doing: Action | None = None
    breaker: asyncio.Timeout | None = None
    task: "asyncio.Task[None] | None" = None

    @classmethod
    def of(cls, entry: Entry, clock: Clock) -> "Subject":
        item = read_item(entry.desired)
        return cls(desired=replace(entry.desired, secrets=None), item=item, ledger=entry.ledger, wakeup=Wakeup(clock))

    @property
    def entry(self) -> Entry:
        return Entry(desired=self.desired, ledger=self.ledger)

    @property
    def stands(self) -> bool:
        """Whether its container is there, or about to be."""
        return self.container is not None or isinstance(self.doing, CreateContainer)

    def want(self, desired: DesiredItem) -> None:
        """Take something newer in; what is under way against it is broken off."""
        self.desired = replace(desired, secrets=None)
        self.item = read_item(desired)
        self.trouble = CALM
        if self.doing is not None and self.breaker is not None and is_obsolete(self.doing, self.item):
            self.breaker.reschedule(asyncio.get_running_loop().time())

    def take_secrets(self, desired: DesiredItem) -> bool:
        """Whether these are the secrets that the subject has been waiting for, as after a restart of the agent."""
        if not self.item.lacks_secrets or self._has_run or desired.generation != self.item.generation:
            return False
        secrets = read_item(desired).secrets
        self.item = replace(self.item, secrets=secrets)
        return secrets is not None

    def drop_secrets(self) -> None:
        """Once the container has run it is never made again in this generation."""
        if self.item.secrets is not None and self._has_run:
            self.item = replace(self.item, secrets=None)

    @property
    def _has_run(self) -> bool:
        return self.ledger.ran_generation == self.item.generation

    def listed(self, container: Container | None) -> None:
        """Compare with a list, which may be older than what an action has done since: a difference is looked into."""
        if self.doing is None and not _same(self.container, container):
            self.stale = True

    def heard(self, action: str) -> None:
        """An event of the engine; those that only repeat what an action of ours has told are passed over."""
        expected = self.doing is not None or (self.container is not None and self.container.state is not _EXITED)
        if not (expected and action in _OWN_ECHOES):
            self.stale = True


_EXITED = ContainerState.EXITED


def _same(known: Container | None, listed: Container | None) -> bool:
    if known is None or listed is None:
        return known is listed
    return known.container_id == listed.container_id and known.state is listed.state
