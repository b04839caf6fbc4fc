"""The reconcile loop, one class for all slices: claim due items under a lease, handle each, say when to look again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from spunto.core.kernel.backoff import BackOff
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Conflict, SpuntoError, Unavailable
from spunto.core.kernel.wakeups import Wakeups

POLL_SECONDS = 5.0
HANDLE_SECONDS = 20.0
LEASE_SECONDS = 30.0
BATCH = 32
_BACK_OFF = BackOff(base_seconds=0.2, cap_seconds=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A due item that is ours until the lease ends. `attempts` counts failures in a row."""

    kind: str
    subject_id: str
    token: str
    attempts: int


class WorkQueue(Protocol):
    """Which subjects want to be looked at, and when; at most one entry a subject."""

    async def claim(self, kind: str, *, now: datetime, limit: int, for_seconds: float) -> list[Claim]:
        """Lease up to `limit` due items, the longest due first.

        A claim that is not finished in time may be taken by another caller; its token is then dead.
        """

    async def finish(self, claim: Claim, *, look_again_at: datetime | None, error_code: str | None = None) -> None:
        """End the claim; the entry goes, or becomes due again.

        An item that was scheduled anew while it was claimed stays due. Raises Conflict `lease_lost` for a dead token.
        """

    async def next_due_at(self, kind: str) -> datetime | None:
        """When the next unclaimed item is due."""


class Schedule(Protocol):
    """The same queue as seen inside a transaction."""

    async def add(self, kind: str, subject_id: str, *, at: datetime) -> None:
        """Make the subject due at that time or earlier, and wake the loop after the commit. Repeating is harmless."""


Handle = Callable[[str], Awaitable[float | None]]
"""Bring one subject forward; the answer is in how many seconds to look again, None for not before something happens."""


Around = Callable[[str, str], AbstractContextManager[None]]
"""Entered around the handling of each subject, with its kind and id; a failure passes through it."""


class Reconciler:
    """Handles the due subjects of one kind, at most a batch at a time, and takes the next as soon as any one ends.

    One subject's failure never stops the loop; it is tried again, later. One slow subject holds up nobody behind it.
    """

    def __init__(
        self,
        kind: str,
        handle: Handle,
        *,
        queue: WorkQueue,
        clock: Clock,
        wakeups: Wakeups,
        report: Callable[[str, str, BaseException], None],
        around: Around,
    ) -> None:
        self._kind = kind
        self._handle = handle
        self._queue = queue
        self._clock = clock
        self._wakeups = wakeups
        self._report = report
        self._around = around

    async def run(self) -> None:
        """Work until cancelled; while the queue can't be reached, try again at the poll's pace."""
        async with asyncio.TaskGroup() as group:
            with self._wakeups.subscribe(topic(self._kind)) as wakeup:
                in_hand: set[asyncio.Task[None]] = set()

                def ended(task: asyncio.Task[None]) -> None:
                    in_hand.discard(task)
                    # There is room again, and the item itself may be due again.
                    wakeup.hint()

                while True:
                    try:
                        room = BATCH - len(in_hand)
                        claims = await self._claims(room) if room else []
                        for claim in claims:
                            task = group.create_task(self._handle_claim(claim), name=f"reconcile {claim.subject_id}")
                            in_hand.add(task)
                            task.add_done_callback(ended)
                        # More may be due than there was room for.
                        due_seconds = await self._due_seconds() if len(claims) < room else 0.0
                    except Unavailable as error:
                        self._report(self._kind, "", error)
                        await self._clock.sleep(POLL_SECONDS)
                        continue
                    if len(in_hand) >= BATCH:
                        due_seconds = None
                    if due_seconds is None or due_seconds > 0:
                        await wakeup.wait(max_seconds=due_seconds, poll_seconds=POLL_SECONDS)

    async def _claims(self, limit: int) -> list[Claim]:
        return await self._queue.claim(self._kind, now=self._clock.now(), limit=limit, for_seconds=LEASE_SECONDS)

    async def _due_seconds(self) -> float | None:
        due_at = await self._queue.next_due_at(self._kind)
        return None if due_at is None else max(0.0, (due_at - self._clock.now()).total_seconds())

    async def _handle_claim(self, claim: Claim) -> None:
        error_code = None
        try:
            with self._around(self._kind, claim.subject_id):
                async with asyncio.timeout(HANDLE_SECONDS):
                    again_seconds = await self._handle(claim.subject_id)
        except Exception as error:  # noqa: BLE001 - the edge of the loop: reported, and the item is tried again
            self._report(self._kind, claim.subject_id, error)
            error_code = error.code if isinstance(error, SpuntoError) else type(error).__name__
            again_seconds = _BACK_OFF.seconds(claim.attempts)
        try:
            await self._queue.finish(claim, look_again_at=self._later(again_seconds), error_code=error_code)
        except Conflict:
            return  # The lease ran out and somebody else has the item; there is nothing left to end.
        except Unavailable as error:
            # The lease will run out, and the item is claimed again.
            self._report(self._kind, claim.subject_id, error)

    def _later(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self._clock.now() + timedelta(seconds=seconds)


def topic(kind: str) -> str:
    """The wake-up topic of a kind's loop."""
    return f"due:{kind}"
