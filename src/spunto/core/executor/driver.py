"""Takes one subject step by step to where it is wanted; the steps are its kind's, the doing is `effects`'."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from spunto.core.executor.actions import Action, Create, EnsureNetwork, Pull, Rename, Run, Start, Stop, WaitUntil
from spunto.core.executor.effects import Effects
from spunto.core.executor.item import Item
from spunto.core.executor.kinds.kind import Now
from spunto.core.executor.ledger import Ledger
from spunto.core.executor.plan import next_step
from spunto.core.executor.runtime import EngineUnavailable, ImageNotFound
from spunto.core.executor.subject import Subject
from spunto.core.executor.trouble import CALM, after_error
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.crash import crash_point
from spunto.core.kernel.errors import Forbidden
from spunto.core.kernel.log import Log
from spunto.core.kernel.problem import Problem

Jitter = Callable[[], float]
_MAKING = Pull | EnsureNetwork | Create | Start
"""Waits for what the subject needs; all else does not."""


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
    """What the driver tells: `changed` after every step, `engine_lost` when the engine does not answer.

    What it asks: `objection` why the node's owner does not let a subject in, `waits` for which others it has to wait.
    `save_for_good` raises Unavailable where the disk can't be written.
    """

    changed: Callable[[Subject], None]
    save: Callable[[Subject], None]
    save_for_good: Callable[[Subject], None]
    engine_lost: Callable[[], None]
    objection: Callable[[Subject], str | None]
    waits: Callable[[Subject], Problem | None]


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
                needs_slot = isinstance(step, EnsureNetwork | Create | Start)
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
        now = Now(at=self._clock.now(), monotonic=self._clock.monotonic())
        step = next_step(subject.kind, subject.item, subject.seen, subject.ledger, trouble=subject.trouble, now=now)
        waits = subject.waits is not None and (subject.item.is_absent or isinstance(step, _MAKING))
        return None if waits else step

    async def _look(self, subject: Subject) -> None:
        subject.stale = False
        try:
            subject.seen = await self._effects.look(subject.item.id, subject.names)
            subject.looked_at = True
        except Exception as error:  # noqa: BLE001 - the edge of the loop: the look is repeated, later
            subject.stale = True
            unseen = error if isinstance(error, EngineUnavailable) else EngineUnavailable(repr(error))
            self._failed(subject, subject.item, None, unseen)

    def _note(self, subject: Subject) -> None:
        ledger = subject.kind.noticed(subject.item, subject.seen, subject.ledger)
        subject.seen = subject.seen.noticed()
        if subject.item.spec is not None and (needs := tuple(subject.kind.needs(subject.item))) != ledger.needs:
            ledger = replace(ledger, needs=needs)
        self._remember(subject, ledger)
        subject.drop_secrets()
        subject.waits = self._hooks.waits(subject)
        self._hooks.changed(subject)

    async def _act(self, subject: Subject, action: Action) -> None:
        item = subject.item
        subject.doing = action
        self._remember(subject, subject.kind.before(action, subject.seen, subject.ledger))
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
        self._remember(subject, subject.kind.interrupted(subject.ledger))

    async def _perform(self, subject: Subject, action: Action) -> None:
        kind = subject.kind
        if isinstance(action, EnsureNetwork | Create) and (objection := self._hooks.objection(subject)):
            raise Forbidden("node_policy", f"The node's owner allows {objection}; ask them, or use another node.")
        if isinstance(action, Start):
            if action.at_most_once:
                self._hooks.save_for_good(subject)
            crash_point("before_start")
        outcome = await self._effects.perform(action)
        subject.seen = subject.seen.after(action, outcome)
        if isinstance(action, Run):
            subject.stale = subject.stale or outcome.exit_code is None
        else:
            gone = isinstance(action, Start) and outcome.container is None
            subject.stale = gone or isinstance(action, Stop)
        self._passed(subject, action, outcome.seconds)
        self._remember(subject, kind.after(action, outcome, subject.ledger))

    def _passed(self, subject: Subject, action: Action, seconds: float) -> None:
        if isinstance(action, Create):
            crash_point("after_create")
        elif isinstance(action, Start):
            crash_point("after_start")
        elif isinstance(action, Rename):
            crash_point("after_rename")
        elif isinstance(action, Stop):
            crash_point("after_stop")
        self._log(
            "action_done",
            subject=subject.item.id,
            action=type(action).__name__,
            seconds=round(seconds, 3),
            request_id=subject.desired.cause or None,
        )

    def _failed(self, subject: Subject, item: Item[Any], action: Action | None, error: Exception) -> None:
        ledger, subject.trouble = after_error(
            item,
            subject.ledger,
            subject.trouble,
            action=action,
            error=error,
            now=self._clock.monotonic(),
            jitter=self._jitter(),
            seen=subject.seen,
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
