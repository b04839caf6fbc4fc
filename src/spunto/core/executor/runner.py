"""Brings about what is wanted of a node, a task for each subject with something to do, and reports what is seen."""

import asyncio
from collections.abc import Callable, Sequence

from spunto.core.executor.containers import made_in
from spunto.core.executor.driver import Driver, Hooks, Slots
from spunto.core.executor.effects import Effects
from spunto.core.executor.journal import Entry, Journal
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.observing import observation_of
from spunto.core.executor.outbox import Outbox, Reporter
from spunto.core.executor.plan import CALM, read_item
from spunto.core.executor.runtime import Container, ContainerRuntime, EngineEvent
from spunto.core.executor.settings import Log, NodeSettings, engine_report, hello_of, silent
from spunto.core.executor.status_files import StatusFiles
from spunto.core.executor.subject import Subject
from spunto.core.executor.watch import EngineWatch
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unavailable
from spunto.core.protocol.messages import Desired, DesiredItem, Hello, InventoryItem, ObservedItem, Phase, Wanted
from spunto.core.specs.names import ID_LABEL, KIND_LABEL, container_name


class NodeRunner:
    """Works on whether or not a server is connected; `attach` is told everything, then every change.

    All of it runs on one event loop, and between two awaits of a subject's task nobody else changes the subject.
    """

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        journal: Journal,
        clock: Clock,
        settings: NodeSettings,
        log: Log = silent,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self._log = log
        self._subjects: dict[str, Subject] = {}
        self._listed: dict[str, Container] = {}
        self._has_listed = False
        self._named: set[str] = set()
        self._stands_down = False
        self._group: asyncio.TaskGroup | None = None
        self._effects = Effects(runtime, clock=clock, settings=settings)
        self._slots = Slots(settings.concurrent_starts)
        self._outbox = Outbox(clock)
        self._files = StatusFiles(
            runtime, clock=clock, seconds=settings.engine_seconds, is_busy=lambda: self._slots.are_in_use
        )
        self._watch = EngineWatch(
            runtime,
            clock=clock,
            settings=settings,
            log=log,
            came_back=self._engine_came_back,
            listed=self._take_list,
            lost=self._send_inventory,
            heard=self._take_event,
        )
        hooks = Hooks(
            changed=self._report, save=self._save, engine_lost=self._watch.look_again, objection=self._objection
        )
        self._driver = Driver(self._effects, clock=clock, slots=self._slots, hooks=hooks, log=log)

    async def run(self) -> None:
        """Go on from the journal, until cancelled; containers stay as they are."""
        self._recover()
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._outbox.run(), name="reports")
            group.create_task(self._files.run(), name="setup status files")
            try:
                await self._watch.run()
            finally:
                self._group = None

    def hello(self) -> Hello:
        """The first word of a connection."""
        return hello_of(self._settings, self._watch.info, self._watch.problem)

    async def engine_answered(self) -> None:
        """Wait until the engine has answered for the first time since the start."""
        await self._watch.has_answered.wait()

    def attach(self, reporter: Reporter) -> None:
        """Report to this connection from now on: all that is known at once, and an inventory soon."""
        self._outbox.attach(reporter)
        self._watch.look_again()

    def detach(self, reporter: Reporter) -> None:
        """Stop reporting to it, unless a newer one has taken its place."""
        if self._outbox.reporter is reporter:
            self._outbox.reporter = None

    def stand_down(self) -> None:
        """Begin nothing more until a whole set comes: another agent speaks for this node now."""
        self._stands_down = True
        for subject in self._subjects.values():
            if subject.task is not None:
                subject.task.cancel()

    def apply(self, desired: Desired) -> None:
        """Take in what is wanted. What a whole set does not name any more is let go of, and left standing."""
        if desired.whole and self._stands_down:
            self._stands_down = False
            for subject in self._subjects.values():
                subject.stale = True
            self._watch.look_again()
        newer = [item for item in desired.items if self._is_newer(item)]
        for item in newer:
            self._want(item)
        self._save_all([self._subjects[item.id].entry for item in newer])
        for item in newer:
            self._wake(self._subjects[item.id])
        for item in desired.items:
            if item.secrets is not None and self._subjects[item.id].take_secrets(item):
                self._wake(self._subjects[item.id])
        if desired.whole:
            self._named.update(item.id for item in desired.items)
            if not desired.more:
                self._let_go([each for each in self._subjects if each not in self._named])
                self._named.clear()

    def forget(self, subject_ids: Sequence[str]) -> None:
        """Drop the memory of subjects whose absence the server has recorded; those that are not gone stay."""
        known = [self._subjects[each] for each in subject_ids if each in self._subjects]
        self._let_go([subject.item.id for subject in known if _observed(subject, self._clock).phase is Phase.ABSENT])

    def standing(self, name: str) -> Container | None:
        """The container of that name, if it is ours and is wanted here: the only ones that streams may reach."""
        for subject in self._subjects.values():
            container = subject.container
            if container is not None and container.name == name and subject.item.wanted is Wanted.PRESENT:
                return container
        return None

    def _recover(self) -> None:
        for entry in self._load():
            ledger = entry.ledger.interrupted()
            subject = Subject.of(Entry(desired=entry.desired, ledger=ledger), self._clock)
            self._subjects.setdefault(entry.desired.id, subject)

    def _is_newer(self, item: DesiredItem) -> bool:
        known = self._subjects.get(item.id)
        return known is None or read_item(item).outranks(known.item)

    def _want(self, item: DesiredItem) -> None:
        self._log(
            "assigned",
            subject=item.id,
            generation=item.generation,
            wanted=item.wanted.value,
            request_id=item.cause or None,
        )
        known = self._subjects.get(item.id)
        if known is not None:
            known.want(item)
            return
        subject = Subject.of(Entry(desired=item, ledger=Ledger()), self._clock)
        # What was listed is as good as a look; without it a spawn would begin with a question to the engine.
        subject.container = self._listed.get(container_name(item.id))
        subject.stale = not self._has_listed or subject.container is not None
        subject.seen = not subject.stale
        self._subjects[item.id] = subject

    def _let_go(self, subject_ids: Sequence[str]) -> None:
        for subject_id in subject_ids:
            subject = self._subjects.pop(subject_id)
            if subject.task is not None:
                subject.task.cancel()
            self._outbox.drop(subject_id)
            self._files.drop(subject_id)
        if subject_ids:
            self._keep(lambda: self._journal.drop(subject_ids))

    def _wake(self, subject: Subject) -> None:
        """Have the subject looked after; before the first list nobody knows what stands."""
        subject.wakeup.hint()
        ready = self._has_listed and not self._stands_down
        if ready and subject.task is None and self._group is not None:
            subject.task = self._group.create_task(self._look_after(subject), name=f"subject {subject.item.id}")

    async def _look_after(self, subject: Subject) -> None:
        try:
            await self._driver.drive(subject)
        except asyncio.CancelledError:
            subject.stale = True
            raise
        finally:
            subject.task = None

    async def _engine_came_back(self) -> None:
        await self._effects.subnets.refresh()
        for subject in self._subjects.values():
            subject.trouble = CALM
            subject.stale = True

    def _take_list(self, containers: Sequence[Container]) -> None:
        self._listed = {container.name: container for container in containers}
        self._has_listed = True
        for subject in self._subjects.values():
            subject.listed(self._listed.get(container_name(subject.item.id)))
            if subject.stale:
                self._wake(subject)
        self._send_inventory()

    def _take_event(self, event: EngineEvent) -> None:
        for subject in self._subjects.values():
            if container_name(subject.item.id) == event.name:
                subject.heard(event.action)
                if subject.stale:
                    self._wake(subject)
                return

    def _objection(self, subject: Subject) -> str | None:
        if subject.item.spec is None:
            return None
        others = sum(each.stands for each in self._subjects.values() if each is not subject)
        return self._settings.policy.objection(subject.item.spec, others=others)

    def _report(self, subject: Subject) -> None:
        if subject.seen:
            self._outbox.put(_observed(subject, self._clock))
            if subject.ledger.setup is not None:
                self._files.put(subject.item.id, subject.ledger.setup)

    def _send_inventory(self) -> None:
        reporter = self._outbox.reporter
        if reporter is None:
            return
        report = engine_report(self._settings, self._watch.info, self._watch.problem)
        items = [_inventory_item(container) for container in self._listed.values()]
        try:
            reporter.inventory(items, engine=report, sampled_at=self._clock.now())
        except Unavailable:
            self.detach(reporter)

    def _save(self, subject: Subject) -> None:
        self._save_all([subject.entry])

    def _save_all(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._keep(lambda: self._journal.save(entries))

    def _keep(self, write: Callable[[], None]) -> None:
        """A journal that can't be written costs what a lost journal costs, which is less than standing still."""
        try:
            write()
        except Unavailable as error:
            self._log("journal_failed", error=error.message)

    def _load(self) -> list[Entry]:
        try:
            return self._journal.load()
        except Unavailable as error:
            self._log("journal_failed", error=error.message)
            return []


def _observed(subject: Subject, clock: Clock) -> ObservedItem:
    return observation_of(
        subject.item,
        subject.container,
        subject.ledger,
        doing=subject.doing,
        trouble=subject.trouble,
        at=clock.now(),
    )


def _inventory_item(container: Container) -> InventoryItem:
    return InventoryItem(
        container_id=container.container_id,
        name=container.name,
        kind=container.labels.get(KIND_LABEL, ""),
        id=container.labels.get(ID_LABEL, ""),
        generation=made_in(container),
        docker_state=container.state.value,
    )
