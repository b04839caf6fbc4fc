"""Refusals: each is written, repeats as one, and none of an organization that is not there."""

import asyncio

import pytest
from tests.unit.core.builders import ORG, OTHER_ORG, a_worker, an_actor
from tests.unit.core.memory import Memory

from spunto.core.access.policy import Action
from spunto.core.activity import refusals as module
from spunto.core.activity.model import AuditFilter, Outcome
from spunto.core.activity.refusals import REPEATED_WITHIN_SECONDS, Refusals
from spunto.core.kernel.paging import PageRequest
from spunto.testing.settling import settle

WORKER = a_worker().id


@pytest.fixture
def refusals(memory: Memory) -> Refusals:
    return Refusals(memory.store, auditor=memory.auditor, clock=memory.clock, wakeups=memory.wakeups)


async def written(memory: Memory) -> list[tuple[str, str, dict[str, str]]]:
    """Newest first."""
    tenant = memory.owner.require(Action.AUDIT_READ, org_id=ORG)
    async with memory.store.reading() as tx:
        page = await tx.audit.list(tenant, PageRequest(), AuditFilter(outcome=Outcome.REFUSED))
    return [(entry.action.value, entry.target_id, dict(entry.detail)) for entry in page.items]


async def test_a_refusal_is_written_with_its_reason(memory: Memory, refusals: Refusals) -> None:
    refusals.note(an_actor(), ORG, Action.WORKER_ENTER, target_id=WORKER, code="not_owner")
    await refusals.flush()

    assert await written(memory) == [("worker.enter", WORKER, {"code": "not_owner"})]


async def test_an_organization_that_is_not_there_records_nothing(memory: Memory, refusals: Refusals) -> None:
    refusals.note(an_actor(), OTHER_ORG, Action.ORG_READ, target_id=OTHER_ORG, code="organization_not_found")
    refusals.note(an_actor(), ORG, Action.ORG_READ, target_id=ORG, code="organization_not_found")
    await refusals.flush()

    assert [action for action, _, _ in await written(memory)] == ["org.read"]


async def test_repeats_are_counted_and_written_as_one(memory: Memory, refusals: Refusals) -> None:
    for _ in range(5):
        refusals.note(an_actor(), ORG, Action.NODE_CREATE, target_id=ORG, code="role_required")
        await refusals.flush()
    assert len(await written(memory)) == 1

    memory.clock.advance(REPEATED_WITHIN_SECONDS)
    await refusals.flush()

    repeated = {"code": "role_required", "repeated": "4"}
    assert await written(memory) == [
        ("node.create", ORG, repeated),
        ("node.create", ORG, {"code": "role_required"}),
    ]


async def test_what_waits_is_bounded(memory: Memory, refusals: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    bounded = Refusals(memory.store, auditor=memory.auditor, clock=memory.clock, wakeups=memory.wakeups)
    for number in range(9):
        bounded.note(an_actor(), ORG, Action.NODE_READ, target_id=str(number), code="x")
    await bounded.flush()

    assert [target for _, target, _ in await written(memory)] == ["8", "7", "6"]


async def test_an_end_writes_the_rest(memory: Memory, refusals: Refusals) -> None:
    running = asyncio.ensure_future(refusals.run())
    for _ in range(3):
        refusals.note(an_actor(), ORG, Action.NODE_CREATE, target_id=ORG, code="role_required")
    await settle()
    assert len(await written(memory)) == 1

    running.cancel()
    await asyncio.wait({running})

    assert len(await written(memory)) == 2
