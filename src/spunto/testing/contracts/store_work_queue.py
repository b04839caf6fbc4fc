"""The contract of the work queue, seen by loops and by transactions."""

import asyncio
from datetime import datetime, timedelta

import pytest

from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.reconcile import Claim
from spunto.testing.contracts.store import NOW, Store

KIND = "worker"
LEASE_SECONDS = 30.0
AFTER_LEASE = NOW + timedelta(seconds=LEASE_SECONDS)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


class WorkQueueContract:
    async def test_the_longest_due_are_claimed_first(self, store: Store) -> None:
        await _schedule(store, ("late", NOW), ("early", NOW - seconds(2)), ("middle", NOW - seconds(1)))

        assert [await _claimed(store, limit=2), await _claimed(store)] == [["early", "middle"], ["late"]]

    async def test_what_is_not_due_waits(self, store: Store) -> None:
        await _schedule(store, ("soon", NOW + seconds(0.000001)))

        assert await _claimed(store) == []
        assert await store.queue.next_due_at(KIND) == NOW + seconds(0.000001)

    async def test_kinds_are_apart(self, store: Store) -> None:
        await _schedule(store, ("it", NOW))

        assert await store.queue.claim("node", now=NOW, limit=9, for_seconds=LEASE_SECONDS) == []
        assert await store.queue.next_due_at("node") is None

    async def test_scheduling_again_keeps_the_earlier_time_and_one_entry(self, store: Store) -> None:
        await _schedule(store, ("it", NOW + seconds(5)), ("it", NOW + seconds(3)), ("it", NOW + seconds(9)))
        await _schedule(store, ("it", NOW + seconds(4)))

        assert await store.queue.next_due_at(KIND) == NOW + seconds(3)
        assert await _claimed(store, now=NOW + seconds(9)) == ["it"]

    async def test_a_claimed_item_is_not_claimed_again_within_its_lease(self, store: Store) -> None:
        await _schedule(store, ("it", NOW))
        await _claim(store)

        assert await _claimed(store, now=AFTER_LEASE - seconds(0.000001)) == []
        assert await store.queue.next_due_at(KIND) is None

    async def test_after_its_lease_another_may_claim_and_the_first_token_is_dead(self, store: Store) -> None:
        await _schedule(store, ("it", NOW))
        first = await _claim(store)
        second = await _claim(store, now=AFTER_LEASE)

        with pytest.raises(Conflict) as caught:
            await store.queue.finish(first, look_again_at=None)
        await store.queue.finish(second, look_again_at=None)

        assert caught.value.code == "lease_lost"

    async def test_a_finished_item_is_gone(self, store: Store) -> None:
        await _schedule(store, ("it", NOW))
        claim = await _claim(store)

        await store.queue.finish(claim, look_again_at=None)

        assert await _claimed(store, now=AFTER_LEASE) == []
        with pytest.raises(Conflict):
            await store.queue.finish(claim, look_again_at=None)

    async def test_an_item_to_look_at_again_is_due_then(self, store: Store) -> None:
        await _schedule(store, ("it", NOW))

        await store.queue.finish(await _claim(store), look_again_at=NOW + seconds(5))

        assert await store.queue.next_due_at(KIND) == NOW + seconds(5)
        assert await _claimed(store, now=NOW + seconds(5)) == ["it"]

    @pytest.mark.parametrize("look_again_at", [None, NOW + seconds(60)])
    async def test_an_item_scheduled_anew_while_claimed_stays_due(
        self, store: Store, look_again_at: datetime | None
    ) -> None:
        await _schedule(store, ("it", NOW))
        claim = await _claim(store)
        await _schedule(store, ("it", NOW + seconds(7)))
        await _schedule(store, ("it", NOW + seconds(8)))

        await store.queue.finish(claim, look_again_at=look_again_at)

        assert await store.queue.next_due_at(KIND) == NOW + seconds(7)

    async def test_scheduling_anew_does_not_break_a_lease(self, store: Store) -> None:
        await _schedule(store, ("it", NOW))
        await _claim(store)

        await _schedule(store, ("it", NOW))

        assert await _claimed(store, now=NOW + seconds(1)) == []

    async def test_failures_in_a_row_are_counted_until_a_success(self, store: Store) -> None:
        await _schedule(store, ("it", NOW))
        attempts = []
        for error_code in ("engine_gone", "engine_gone", None, "engine_gone"):
            claim = await _claim(store)
            attempts.append(claim.attempts)
            await store.queue.finish(claim, look_again_at=NOW, error_code=error_code)

        assert attempts == [0, 1, 2, 0]

    async def test_concurrent_claims_share_no_item(self, store: Store) -> None:
        subjects = [f"s{number:02}" for number in range(40)]
        await _schedule(store, *((subject, NOW) for subject in subjects))

        claimed: list[str] = []
        while batches := [
            batch for batch in await asyncio.gather(*(_claimed(store, limit=4) for _ in range(8))) if batch
        ]:
            claimed += [subject for batch in batches for subject in batch]

        assert sorted(claimed) == subjects


async def _schedule(store: Store, *subjects: tuple[str, datetime]) -> None:
    async with store() as tx:
        for subject_id, at in subjects:
            await tx.due.add(KIND, subject_id, at=at)
        await tx.commit()


async def _claim(store: Store, *, now: datetime = NOW) -> Claim:
    (claim,) = await store.queue.claim(KIND, now=now, limit=1, for_seconds=LEASE_SECONDS)
    return claim


async def _claimed(store: Store, *, now: datetime = NOW, limit: int = 99) -> list[str]:
    claims = await store.queue.claim(KIND, now=now, limit=limit, for_seconds=LEASE_SECONDS)
    return [claim.subject_id for claim in claims]
