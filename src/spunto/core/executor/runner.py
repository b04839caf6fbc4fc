"""Brings about what is wanted of a node, a task for each subject with something to do, and reports what is seen."""

import asyncio
from collections.abc import Collection, Sequence

from spunto.core.executor.disk_watch import DiskWatch
from spunto.core.executor.driver import Driver, Hooks, Slots
from spunto.core.executor.effects import Effects
from spunto.core.executor.journal import Entry, Grave, Journal
from spunto.core.executor.kinds.kind import Report
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.listing import InventoryReports, Listing
from spunto.core.executor.neighbours import unmet
from spunto.core.executor.notes import Notes
from spunto.core.executor.outbox import Outbox, Reporter
from spunto.core.executor.plan import absent_item, observed_item, report_of
from spunto.core.executor.reading import Reading
from spunto.core.executor.runtime import Container, ContainerRuntime, EngineEvent
from spunto.core.executor.settings import NodeSettings, engine_report, hello_of
from spunto.core.executor.status_files import StatusFiles
from spunto.core.executor.subject import Subject
from spunto.core.executor.trouble import CALM
from spunto.core.executor.watch import EngineWatch
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.log import Log, silent
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import (
    MAX_ITEMS,
    Desired,
    DesiredItem,
    Hello,
    Inventory,
    ObservedItem,
    Phase,
    Wanted,
)
from spunto.core.specs.capabilities import of_stream


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
        reading: Reading = Reading(),  # noqa: B008 - frozen
        streams: Collection[str] = (),
        log: Log = silent,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._reading = reading
        self._streams = streams
        self._log = log
        self._subjects: dict[str, Subject] = {}
        self._listing: Listing | None = None
        self._named: set[str] = set()
        self._stands_down = False
        self._group: asyncio.TaskGroup | None = None
        self._notes = Notes(journal, log=log)
        self._effects = Effects(runtime, clock=clock, settings=settings)
        self._slots = Slots(settings.concurrent_starts)
        self._outbox = Outbox(clock)
        self._inventories = InventoryReports(self._outbox, clock=clock)
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
        self._disk = DiskWatch(
            runtime,
            clock=clock,
            settings=settings,
            log=log,
            standing=lambda: list(self._subjects.values()),
            halt=self._halt,
            news=self._send_inventory,
        )
        hooks = Hooks(
            changed=self._report,
            save=lambda subject: self._notes.save([subject.entry]),
            save_for_good=lambda subject: self._notes.save_for_good(subject.entry),
            engine_lost=self._watch.look_again,
            objection=self._objection,
            waits=self._waits,
        )
        self._driver = Driver(self._effects, clock=clock, slots=self._slots, hooks=hooks, log=log)

    async def run(self) -> None:
        """Go on from the journal, until cancelled; containers stay as they are."""
        for entry in self._notes.load():
            self._subjects.setdefault(entry.desired.id, Subject.of(entry, self._reading, self._clock))
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._outbox.run(), name="reports")
            group.create_task(self._files.run(), name="setup status files")
            group.create_task(self._disk.run(), name="disk")
            try:
                await self._watch.run()
            finally:
                self._group = None

    def hello(self) -> Hello:
        """The first word of a connection."""
        capabilities = sorted({*self._reading.capabilities, *map(of_stream, self._streams)})
        return hello_of(
            self._settings,
            self._watch.info,
            self._watch.problem,
            disk=self._disk.report,
            capabilities=capabilities,
        )

    async def engine_answered(self) -> None:
        """Wait until the engine has answered for the first time since the start."""
        await self._watch.has_answered.wait()

    def attach(self, reporter: Reporter) -> None:
        """Report to this connection from now on: all that is known at once, and an inventory soon."""
        self._outbox.attach(reporter)
        self._inventories.begin_anew()
        self._watch.look_again()

    def detach(self, reporter: Reporter) -> None:
        """Stop reporting to it, unless a newer one has taken its place."""
        self._outbox.detach(reporter)

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
        items = [item for item in desired.items if not self._is_outlived(item)]
        newer = [item for item in items if self._is_newer(item)]
        for item in newer:
            self._want(item)
        self._notes.save([self._subjects[item.id].entry for item in newer])
        for item in newer:
            self._wake(self._subjects[item.id])
        for item in items:
            if item.secrets is not None and self._subjects[item.id].take_secrets(item):
                self._wake(self._subjects[item.id])
        if desired.whole:
            self._named.update(item.id for item in desired.items)
            if not desired.more:
                self._let_go([each for each in self._subjects if each not in self._named])
                self._named.clear()

    def forget(self, subject_ids: Sequence[str]) -> None:
        """Bury subjects whose absence the server has recorded; those that are not gone stay."""
        known = [self._subjects[each] for each in subject_ids if each in self._subjects]
        for each in subject_ids:
            if each not in self._subjects:
                self._outbox.drop(each)
        gone = [subject for subject in known if self._observed(subject).phase is Phase.ABSENT]
        graves = [Grave(kind=each.item.kind, id=each.item.id, generation=each.item.generation) for each in gone]
        self._let_go([subject.item.id for subject in gone])
        self._notes.bury(graves)

    async def inventory(self) -> Inventory:
        """What is there now; as last listed, with the reason, where the engine does not answer."""
        await self._watch.list_now()
        items = () if self._listing is None else self._listing.items
        report = engine_report(self._settings, self._watch.info, self._watch.problem)
        shown = items[:MAX_ITEMS]
        return Inventory(epoch=0, sampled_at=self._clock.now(), engine=report, items=shown, disk=self._disk.report)

    def standing(self, subject_id: str) -> Container | None:
        """The subject's container, if it is wanted here: the only ones that streams may reach."""
        subject = self._subjects.get(subject_id)
        return None if subject is None or subject.item.is_absent else subject.seen.container

    def _is_outlived(self, item: DesiredItem) -> bool:
        """Whether the server asks for less than what is here, as after a restore from an older copy: it is told so."""
        known, grave = self._subjects.get(item.id), self._notes.grave_of(item.id)
        if known is not None:
            if item.generation < known.item.generation and known.looked_at:
                self._outbox.tell_again([self._observed(known)])
            return False
        if grave is None or item.wanted is Wanted.ABSENT:
            return False
        if item.generation > grave.generation:
            self._notes.exhume(item.id)
            return False
        self._outbox.tell_again([absent_item(grave, at=self._clock.now())])
        return True

    def _is_newer(self, item: DesiredItem) -> bool:
        known = self._subjects.get(item.id)
        return known is None or self._reading.item(item).outranks(known.item)

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
        subject = Subject.of(Entry(desired=item, ledger=Ledger()), self._reading, self._clock)
        # What was listed is as good as a look; without it a spawn would begin with a question to the engine.
        if self._listing is not None and subject.sees_by_containers:
            subject.stale = bool(self._listing.of(item.id))
            subject.looked_at = not subject.stale
        self._subjects[item.id] = subject

    def _let_go(self, subject_ids: Sequence[str]) -> None:
        for subject_id in subject_ids:
            subject = self._subjects.pop(subject_id)
            if subject.task is not None:
                subject.task.cancel()
            self._outbox.drop(subject_id)
            self._files.drop(subject_id)
        self._notes.drop(subject_ids)
        self._wake_waiting()

    def _wake(self, subject: Subject) -> None:
        """Have the subject looked after; before the first list nobody knows what stands."""
        subject.wakeup.hint()
        ready = self._listing is not None and not self._stands_down
        if ready and subject.task is None and self._group is not None:
            subject.task = self._group.create_task(self._look_after(subject), name=f"subject {subject.item.id}")

    def _wake_waiting(self) -> None:
        for subject in self._subjects.values():
            if subject.waits is not None:
                self._wake(subject)

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
        self._listing = Listing(containers)
        for subject in self._subjects.values():
            subject.listed(self._listing.of(subject.item.id))
            if subject.stale:
                self._wake(subject)
        self._send_inventory()

    def _take_event(self, event: EngineEvent) -> None:
        for subject in self._subjects.values():
            if event.name in subject.names.containers or event.name in subject.seen.containers:
                subject.heard(event.name, event.action)
                if subject.stale:
                    self._wake(subject)
                return
        if event.action == "rename":
            self._watch.look_again()

    def _halt(self, subject: Subject, problem: Problem) -> None:
        subject.halt(problem)
        self._notes.save([subject.entry])
        self._wake(subject)

    def _objection(self, subject: Subject) -> str | None:
        spec, kind = subject.item.spec, subject.item.kind
        size = None if spec is None else spec.size
        if size is None:
            return None
        others = sum(each.stands for each in self._subjects.values() if each is not subject and each.item.kind == kind)
        return self._settings.policy.objection(kind, size, others=others)

    def _waits(self, subject: Subject) -> Problem | None:
        return unmet(subject, self._subjects, self._outbox.phase_of)

    def _report(self, subject: Subject) -> None:
        if not subject.looked_at:
            return
        report = self._report_of(subject)
        item = observed_item(subject.item, subject.seen, report, at=self._clock.now())
        if self._outbox.put(item) and report.phase in (Phase.RUNNING, Phase.ABSENT):
            self._wake_waiting()
        if report.file is not None:
            self._files.put(subject.item.id, report.file)

    def _observed(self, subject: Subject) -> ObservedItem:
        return observed_item(subject.item, subject.seen, self._report_of(subject), at=self._clock.now())

    def _report_of(self, subject: Subject) -> Report:
        return report_of(
            subject.kind,
            subject.item,
            subject.seen,
            subject.ledger,
            doing=subject.doing,
            trouble=subject.trouble,
            waits=subject.waits,
        )

    def _send_inventory(self) -> None:
        report = engine_report(self._settings, self._watch.info, self._watch.problem)
        items = () if self._listing is None else self._listing.items
        self._inventories.tell(items, report, self._disk.report)
