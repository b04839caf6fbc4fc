"""Takes one subject step by step to where it is wanted; the steps are `plan`'s, the doing is `effects`'."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from spunto.core.executor import plan
from spunto.core.executor.effects import Effects, SetupTooLong
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.plan import (
    CALM,
    Action,
    Assigned,
    CreateContainer,
    PullImage,
    RunSetup,
    StartContainer,
    StopContainer,
    WaitUntil,
)
from spunto.core.executor.runtime import EngineUnavailable, ImageNotFound
from spunto.core.executor.settings import Log
from spunto.core.executor.subject import Subject
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.crash import crash_point
from spunto.core.kernel.errors import Forbidden, SpuntoError

Jitter = Callable[[], float]


class Slots:
    """How many subjects may be created and started at a time: more would only make each take longer."""

    def __init__(self, count: int) -> None:
        self._slots = asyncio.Semaphore(count)
        self._in_use = 0

    @property
    def are_in_use(self) -> bool:
        return self._in_use > 0

    async def take(self) -> None:
        self._in_use += 1
        try:
            await self._slots.acquire()
        except BaseException:
            self._in_use -= 1
            raise

    def give_back(self) -> None:
        self._in_use -= 1
        self._slots.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the driver tells: `changed` after every step, `engine_lost` when the engine does not answer,
    `objection` asks why the node's owner does not let a worker in."""

    changed: Callable[[Subject], None]
    save: Callable[[Subject], None]
    engine_lost: Callable[[], None]
    objection: Callable[[Subject], str | None]


class Driver:
    def __init__(
        self, effects: Effects, *, clock: Clock, slots: Slots, hooks: Hooks, log: Log, jitter: Jitter = random.random
    ) -> None:
        self._effects = effects
        self._clock = clock
        self._slots = slots
        self._hooks = hooks
        self._log = log
        self._jitter = jitter

    async def drive(self, subject: Subject) -> None:
        """Work until there is nothing to do for the subject. A slot is kept from its creation to its start."""
        has_slot = False
        try:
            while True:
                step = await self._next_step(subject)
                needs_slot = isinstance(step, CreateContainer | StartContainer)
                if has_slot and not needs_slot:
                    self._slots.give_back()
                    has_slot = False
                if step is None:
                    return
                if needs_slot and not has_slot:
                    await self._slots.take()
                    has_slot = True
                elif isinstance(step, WaitUntil):
                    await subject.wakeup.wait(max_seconds=max(0.0, step.at - self._clock.monotonic()))
                else:
                    await self._act(subject, step)
        finally:
            if has_slot:
                self._slots.give_back()

    async def _next_step(self, subject: Subject) -> Action | WaitUntil | None:
        if subject.stale and subject.trouble.not_before <= self._clock.monotonic():
            await self._look(subject)
        self._note(subject)
        if subject.stale:
            return WaitUntil(at=subject.trouble.not_before)
        return plan.next_step(
            subject.item,
            subject.container,
            subject.ledger,
            trouble=subject.trouble,
            now=self._clock.monotonic(),
        )

    async def _look(self, subject: Subject) -> None:
        subject.stale = False
        try:
            subject.container = await self._effects.find(subject.item.id)
            subject.seen = True
        except Exception as error:  # noqa: BLE001 - the edge of the loop: the look is repeated, later
            subject.stale = True
            unseen = error if isinstance(error, EngineUnavailable) else EngineUnavailable(repr(error))
            self._failed(subject, subject.item, None, unseen)

    def _note(self, subject: Subject) -> None:
        self._remember(
            subject,
            plan.noticed(
                subject.item, subject.container, subject.ledger, at=self._clock.now(), timings=subject.timings
            ),
        )
        subject.drop_secrets()
        self._hooks.changed(subject)

    async def _act(self, subject: Subject, action: Action) -> None:
        item = subject.item
        subject.doing = action
        self._remember(subject, plan.before(action, subject.container, subject.ledger))
        self._hooks.changed(subject)
        try:
            async with asyncio.timeout(None) as breaker:
                subject.breaker = breaker
                await self._perform(subject, action)
            subject.trouble = CALM
        except Exception as error:  # noqa: BLE001 - the edge of the loop: every error is judged by the plan
            subject.stale = not isinstance(error, ImageNotFound)
            if not breaker.expired():
                self._failed(subject, item, action, error)
        finally:
            subject.breaker = subject.doing = None
        self._remember(subject, subject.ledger.interrupted())

    async def _perform(self, subject: Subject, action: Action) -> None:
        if isinstance(action, RunSetup):
            await self._run_setup(subject, action)
            return
        if isinstance(action, CreateContainer) and (objection := self._hooks.objection(subject)):
            raise Forbidden("node_policy", f"The node's owner allows {objection}; ask them, or use another node.")
        if isinstance(action, StartContainer):
            crash_point("before_start")
        generation, begun = subject.item.generation, self._clock.monotonic()
        subject.container = await self._effects.perform(action, subject.item.id, subject.container)
        subject.stale = isinstance(action, StopContainer)
        self._passed(subject, action, self._clock.monotonic() - begun)
        self._remember(subject, plan.after(action, subject.ledger, generation=generation))

    async def _run_setup(self, subject: Subject, action: RunSetup) -> None:
        """A command that fails, or can't even be run, leaves its words in the setup's status; the worker runs on."""
        begun = self._clock.monotonic()
        exit_code: int | None = None
        try:
            exit_code, output = await self._effects.run_setup(action, subject.item.id)
        except (SpuntoError, SetupTooLong) as error:
            subject.stale = True
            output = str(error).encode()
        seconds = self._clock.monotonic() - begun
        self._remember(subject, subject.ledger.set_up(exit_code=exit_code, output=output, seconds=seconds))

    def _passed(self, subject: Subject, action: Action, seconds: float) -> None:
        if isinstance(action, CreateContainer):
            crash_point("after_create")
        elif isinstance(action, StartContainer):
            crash_point("after_start")
        name = _TIMED.get(type(action))
        if name is not None:
            subject.timings[name] = round(seconds, 3)
        self._log(
            "action_done",
            subject=subject.item.id,
            action=type(action).__name__,
            seconds=round(seconds, 3),
            request_id=subject.desired.cause or None,
        )

    def _failed(self, subject: Subject, item: Assigned, action: Action | None, error: Exception) -> None:
        ledger, subject.trouble = plan.after_error(
            item,
            subject.ledger,
            subject.trouble,
            action=action,
            error=error,
            now=self._clock.monotonic(),
            jitter=self._jitter(),
            container=subject.container,
        )
        self._remember(subject, ledger)
        doing = "look" if action is None else type(action).__name__
        self._log(
            "action_failed",
            subject=item.id,
            action=doing,
            error=str(error) or repr(error),
            request_id=subject.desired.cause or None,
        )
        if isinstance(error, EngineUnavailable):
            self._hooks.engine_lost()

    def _remember(self, subject: Subject, ledger: Ledger) -> None:
        if ledger != subject.ledger:
            subject.ledger = ledger
            self._hooks.save(subject)


_TIMED: dict[type[Action], str] = {
    PullImage: "pullSeconds",
    CreateContainer: "createSeconds",
    StartContainer: "startSeconds",
}
