"""One subject on its node while the agent runs: what is wanted, seen, remembered and under way."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from spunto.core.executor.actions import Action, Create, EnsureNetwork, Run
from spunto.core.executor.item import Item
from spunto.core.executor.journal import Entry, body_of
from spunto.core.executor.kinds.kind import Kind
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.reading import Reading
from spunto.core.executor.runtime import Container, ContainerState
from spunto.core.executor.seen import NOTHING, Names, Seen
from spunto.core.executor.trouble import CALM, Trouble
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.problem import Problem
from spunto.core.kernel.wakeups import Wakeup
from spunto.core.protocol.messages import DesiredItem

_OWN_ECHOES = frozenset({"create", "start", "init", "mount"})


@dataclass(slots=True, kw_only=True, eq=False)
class Subject:
    """`looked_at`: since the start; `stale`: it has to be looked at before the next step; `has_strays`: the last list
    had containers of it under names that nobody here gave them.

    `desired` is what the journal gets, so it never holds secrets; `item` has them until the container has run. With
    `unread` this agent can't read what a newer one remembered of it. `waits` is for another subject. `task` lives while
    there is something to do, and `breaker` while an action does.
    """

    desired: DesiredItem
    item: Item[Any]
    kind: Kind[Any]
    ledger: Ledger
    reading: Reading
    wakeup: Wakeup
    unread: Mapping[str, Any] | None = None
    seen: Seen = NOTHING
    looked_at: bool = False
    has_strays: bool = False
    stale: bool = True
    trouble: Trouble = CALM
    waits: Problem | None = None
    doing: Action | None = None
    breaker: asyncio.Timeout | None = None
    task: "asyncio.Task[None] | None" = None

    @classmethod
    def of(cls, entry: Entry, reading: Reading, clock: Clock) -> "Subject":
        """As the journal has it, or as it is asked for the first time."""
        unread = entry.unread
        known = reading.kinds.get(entry.desired.kind)
        if unread is None and known is not None and not known.knows(entry.ledger.own):
            unread = orjson.loads(body_of(entry))
        item = reading.item(entry.desired, memory_is_read=unread is None)
        kind = reading.kind(item, memory_is_read=unread is None)
        return cls(
            desired=replace(entry.desired, secrets=None),
            item=item,
            kind=kind,
            ledger=entry.ledger if unread is not None else kind.interrupted(entry.ledger),
            reading=reading,
            wakeup=Wakeup(clock),
            unread=unread,
        )

    @property
    def entry(self) -> Entry:
        return Entry(desired=self.desired, ledger=self.ledger, unread=self.unread)

    @property
    def names(self) -> Names:
        return replace(self.kind.wants(self.item.id), strays=self.has_strays)

    @property
    def sees_by_containers(self) -> bool:
        """Whether a list of containers says all that there is to see."""
        names = self.names
        return not (names.by_label or names.networks or names.volumes or names.images)

    @property
    def stands(self) -> bool:
        """Whether its container is there, or about to be."""
        return self.seen.container is not None or isinstance(self.doing, EnsureNetwork | Create)

    def want(self, desired: DesiredItem) -> None:
        """Take something newer in; what is under way against it is broken off."""
        self.desired = replace(desired, secrets=None)
        self.item = self.reading.item(desired, memory_is_read=self.unread is None)
        self.trouble = CALM
        # What is not understood breaks nothing off: it may well ask for what is under way.
        obsolete = self.item.refused is None and self.doing is not None and self.kind.obsolete(self.doing, self.item)
        if obsolete:
            self._break_off()
        before, self.kind = self.kind, self.reading.kind(self.item, memory_is_read=self.unread is None)
        # Who sees by labels sees other things than who sees by names.
        self.stale = self.stale or type(before) is not type(self.kind)

    def halt(self, problem: Problem) -> None:
        """Have it stopped until it is wanted anew; a command that is under way in it is broken off."""
        self.ledger = self.ledger.halted(self.item.generation, problem)
        if isinstance(self.doing, Run):
            self._break_off()

    def _break_off(self) -> None:
        if self.breaker is not None:
            self.breaker.reschedule(asyncio.get_running_loop().time())

    def take_secrets(self, desired: DesiredItem) -> bool:
        """Whether these are the secrets that the subject has been waiting for, as after a restart of the agent."""
        if not self.item.lacks_secrets or self._has_run or desired.generation != self.item.generation:
            return False
        secrets = self.reading.item(desired).secrets
        self.item = replace(self.item, secrets=secrets)
        return secrets is not None

    def drop_secrets(self) -> None:
        """Once the container has run it is never made again in this generation."""
        if self.item.secrets is not None and self._has_run:
            self.item = replace(self.item, secrets=None)

    @property
    def _has_run(self) -> bool:
        return self.ledger.ran_generation == self.item.generation

    def listed(self, containers: Mapping[str, Container]) -> None:
        """Compare with a list, which may be older than what an action has done since: a difference is looked into."""
        self.has_strays = not containers.keys() <= {*self.names.containers, *self.names.aside}
        if self.doing is None and _states(self.seen.containers) != _states(self.of_these(containers)):
            self.stale = True

    def of_these(self, containers: Mapping[str, Container]) -> Mapping[str, Container]:
        """Those of the listed containers of the subject that its kind looks at, in the kind's order; where one is
        missed or strays, all of the subject's, for somebody may have renamed it."""
        names = self.names
        if names.by_label:
            return containers
        by_name = {name: containers[name] for name in names.containers if name in containers}
        if len(by_name) == len(names.containers) and not names.strays:
            return by_name
        return {**by_name, **{name: each for name, each in containers.items() if name not in names.aside}}

    def heard(self, name: str, action: str) -> None:
        """An event of the engine; those that only repeat what an action of ours has told are passed over."""
        container = self.seen.containers.get(name)
        expected = self.doing is not None or (container is not None and container.state is not _EXITED)
        if not (expected and action in _OWN_ECHOES):
            self.stale = True


_EXITED = ContainerState.EXITED


def _states(containers: Mapping[str, Container]) -> dict[str, tuple[str, ContainerState, datetime | None]]:
    return {name: (each.container_id, each.state, each.started_at) for name, each in containers.items()}
