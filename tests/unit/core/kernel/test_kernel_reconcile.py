"""The reconcile loop over the memory queue: nothing stops it, and nothing that is due is forgotten."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from spunto.adapters.memory.queue import MemoryQueue
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.errors import Conflict, Unavailable
from spunto.core.kernel.reconcile import (
    BATCH,
    LEASE_SECONDS,
    POLL_SECONDS,
    Claim,
    Reconciler,
    topic,
)
from spunto.core.kernel.wakeups import Wakeups

KIND = "worker"


class CutOffQueue(MemoryQueue):
    """A queue that can't be reached for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.claims_lost = 0
        self.ends_lost = 0

    async def claim(self, kind: str, *, now: datetime, limit: int, for_seconds: float) -> list[Claim]:
        if self.claims_lost:
            self.claims_lost -= 1
            raise Unavailable("database_unavailable", "gone")
        return await super().claim(kind, now=now, limit=limit, for_seconds=for_seconds)

    async def finish(self, claim: Claim, *, look_again_at: datetime | None, error_code: str | None = None) -> None:
        if self.ends_lost:
            self.ends_lost -= 1
            raise Unavailable("database_unavailable", "gone")
        await super().finish(claim, look_again_at=look_again_at, error_code=error_code)


@dataclass(slots=True, kw_only=True)
class Bench:
    """A loop, the queue it works on, and what it did."""

    clock: ManualClock = field(default_factory=ManualClock)
    queue: CutOffQueue = field(default_factory=CutOffQueue)
    handled: list[tuple[float, str]] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    handle: Callable[[str], Awaitable[float | None]] | None = None
    wakeups: Wakeups = field(init=False)
    loop: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        self.wakeups = Wakeups(self.clock)
        self.loop = Reconciler(
            KIND,
            self._handle,
            queue=self.queue,
            clock=self.clock,
            wakeups=self.wakeups,
            report=lambda kind, subject_id, error: self.reported.append(f"{kind} {subject_id} {error}"),
            around=self._around,
        )

    @contextmanager
    def _around(self, kind: str, subject_id: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.passed.append(f"{kind} {subject_id} {type(error).__name__}")
            raise
        self.passed.append(f"{kind} {subject_id}")

    async def _handle(self, subject_id: str) -> float | None:
        self.handled.append((self.clock.monotonic(), subject_id))
        return None if self.handle is None else await self.handle(subject_id)

    def due(self, subject_id: str, *, in_seconds: float = 0) -> None:
        at = self.clock.now().timestamp() + in_seconds
        self.queue.add(KIND, subject_id, at=datetime.fromtimestamp(at, tz=self.clock.now().tzinfo))
        self.wakeups.hint(topic(KIND))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.loop.run())
        try:
            await turn()
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def advance(self, seconds: float) -> None:
        await turn()
        until = self.clock.monotonic() + seconds
        while (wake := self.clock.next_wake_seconds()) is not None and self.clock.monotonic() + wake <= until:
            self.clock.advance(wake)
            await turn()
        self.clock.advance(until - self.clock.monotonic())
        await turn()


async def turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def fail(subject_id: str) -> float | None:
    if subject_id == "bad":
        raise ValueError(subject_id)
    return None


async def test_one_failure_never_stops_the_others_nor_the_loop() -> None:
    bench = Bench(handle=fail)
    async with bench.running():
        bench.due("bad")
        bench.due("good")
        await turn()
        bench.due("later")
        await turn()

    assert [subject_id for _, subject_id in bench.handled] == ["bad", "good", "later"]
    assert bench.reported == ["worker bad bad"]


async def test_what_is_around_an_item_sees_how_it_ends() -> None:
    bench = Bench(handle=fail)
    async with bench.running():
        bench.due("bad")
        bench.due("good")
        await turn()

    assert sorted(bench.passed) == ["worker bad ValueError", "worker good"]


async def test_a_failing_item_is_tried_again_ever_more_slowly_but_at_least_each_minute() -> None:
    bench = Bench(handle=fail)
    async with bench.running():
        bench.due("bad")
        await bench.advance(600)

    times = [at for at, _ in bench.handled]
    gaps = [round(after - before, 3) for before, after in itertools.pairwise(times)]
    assert gaps[:9] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2]
    assert set(gaps[9:]) == {60.0}


async def test_a_success_forgets_the_failures_before_it() -> None:
    outcomes: list[ValueError | float] = [ValueError("1"), ValueError("2"), 1.0, ValueError("3")]

    async def handle(_: str) -> float | None:
        outcome = outcomes.pop(0) if outcomes else None
        if isinstance(outcome, ValueError):
            raise outcome
        return outcome

    bench = Bench(handle=handle)
    async with bench.running():
        bench.due("one")
        await bench.advance(60)

    assert [round(at, 3) for at, _ in bench.handled] == [0.0, 0.2, 0.6, 1.6, 1.8]


async def test_an_item_that_was_scheduled_while_it_was_handled_comes_again() -> None:
    gate = asyncio.Event()

    async def wait(_: str) -> float | None:
        await gate.wait()
        return None

    bench = Bench(handle=wait)
    async with bench.running():
        bench.due("one")
        await turn()
        bench.due("one")
        await turn()
        assert len(bench.handled) == 1
        gate.set()
        await turn()

    assert len(bench.handled) == 2


async def test_what_is_due_later_is_handled_at_its_time() -> None:
    bench = Bench()
    async with bench.running():
        bench.due("one", in_seconds=7)
        await bench.advance(60)

    assert bench.handled == [(7.0, "one")]


async def test_a_lost_hint_costs_the_poll_interval_and_nothing_else() -> None:
    bench = Bench()
    async with bench.running():
        bench.queue.add(KIND, "one", at=bench.clock.now())
        await bench.advance(POLL_SECONDS)

    assert bench.handled == [(POLL_SECONDS, "one")]


async def test_more_than_a_batch_is_handled_in_the_order_in_which_it_is_due() -> None:
    bench = Bench()
    async with bench.running():
        for number in range(2 * BATCH + 1):
            bench.due(f"{number:03}")
        for _ in range(3):
            await turn()

    assert [subject_id for _, subject_id in bench.handled] == [f"{number:03}" for number in range(2 * BATCH + 1)]


async def test_a_queue_that_cannot_be_reached_is_asked_again() -> None:
    bench = Bench()
    bench.queue.claims_lost = 2
    async with bench.running():
        bench.due("one")
        await bench.advance(60)

    assert bench.handled == [(2 * POLL_SECONDS, "one")]
    assert bench.reported == ["worker  gone"] * 2


async def test_an_item_whose_end_could_not_be_written_is_claimed_again_after_its_lease() -> None:
    bench = Bench()
    bench.queue.ends_lost = 1
    async with bench.running():
        bench.due("one")
        await bench.advance(LEASE_SECONDS + POLL_SECONDS)

    assert [subject_id for _, subject_id in bench.handled] == ["one", "one"]


async def test_the_token_of_an_overrun_lease_is_dead() -> None:
    queue, clock = MemoryQueue(), ManualClock()
    queue.add(KIND, "one", at=clock.now())
    [slow] = await queue.claim(KIND, now=clock.now(), limit=1, for_seconds=LEASE_SECONDS)
    clock.advance(LEASE_SECONDS)
    [quick] = await queue.claim(KIND, now=clock.now(), limit=1, for_seconds=LEASE_SECONDS)

    with pytest.raises(Conflict, match="taken this over"):
        await queue.finish(slow, look_again_at=None)
    await queue.finish(quick, look_again_at=None)

    assert await queue.next_due_at(KIND) is None


async def test_an_overrun_lease_does_not_trouble_the_loop() -> None:
    gate = asyncio.Event()

    async def wait(_: str) -> float | None:
        await gate.wait()
        return None

    bench = Bench(handle=wait)
    async with bench.running():
        bench.due("one")
        await turn()
        bench.clock.advance(LEASE_SECONDS)
        [stolen] = await bench.queue.claim(KIND, now=bench.clock.now(), limit=1, for_seconds=LEASE_SECONDS)
        gate.set()
        await turn()
        await bench.queue.finish(stolen, look_again_at=None)

    assert bench.reported == []


def slow_ones(gate: asyncio.Event) -> Callable[[str], Awaitable[float | None]]:
    async def wait(subject_id: str) -> float | None:
        if subject_id.startswith("slow"):
            await gate.wait()
        return None

    return wait


async def test_the_loop_goes_on_beside_what_is_slow() -> None:
    gate = asyncio.Event()
    bench = Bench(handle=slow_ones(gate))
    async with bench.running():
        bench.due("slow")
        bench.due("quick")
        await turn()
        for number in range(2 * BATCH):
            bench.due(f"{number:03}")
        for _ in range(4):
            await turn()
        while_it_waited = len(bench.handled)
        gate.set()
        await turn()

    assert while_it_waited == 2 + 2 * BATCH
    assert await bench.queue.next_due_at(KIND) is None


async def test_the_loop_has_no_more_than_a_batch_in_hand() -> None:
    gate = asyncio.Event()
    bench = Bench(handle=slow_ones(gate))
    async with bench.running():
        for number in range(BATCH - 1):
            bench.due(f"slow {number:03}")
        await turn()
        for number in range(4):
            bench.due(f"slow too {number}")
        await turn()
        begun = len(bench.handled)
        gate.set()
        await turn()

    assert (begun, len(bench.handled)) == (BATCH, BATCH + 3)


async def test_the_loop_outlives_failures_beside_a_queue_that_cannot_be_reached() -> None:
    bench = Bench(handle=fail)
    bench.queue.claims_lost = 1
    async with bench.running():
        bench.due("bad")
        bench.due("good")
        await bench.advance(POLL_SECONDS + 0.2)

    assert [subject_id for _, subject_id in bench.handled] == ["bad", "good", "bad"]
    assert bench.reported == ["worker  gone", "worker bad bad", "worker bad bad"]


async def test_what_is_to_be_looked_at_again_is_looked_at_again_at_its_time() -> None:
    waits: list[float | None] = [0.0, 3.0, None]

    async def handle(_: str) -> float | None:
        return waits.pop(0)

    bench = Bench(handle=handle)
    async with bench.running():
        bench.due("one")
        await bench.advance(60)

    assert [at for at, _ in bench.handled] == [0.0, 0.0, 3.0]
