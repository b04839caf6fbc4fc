"""The event feed as use cases fill it and followers see it."""

import ast
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.core.builders import ORG, a_report, an_actor
from tests.unit.core.memory import Memory

import spunto.core
from spunto.core.access.api_keys import OwnerType
from spunto.core.access.model import Actor, UserId
from spunto.core.access.policy import Action, Role, Scope
from spunto.core.activity.events import EVENT_OF, Event, EventType
from spunto.core.activity.service import (
    BATCH,
    HEARTBEAT_SECONDS,
    KEPT_FOR,
    ActivityService,
    Heartbeat,
    Position,
    Reset,
    Told,
)
from spunto.core.kernel.errors import Unauthenticated, Unavailable
from spunto.core.orgs.model import User
from spunto.core.protocol.messages import Phase
from spunto.testing.settling import finish

GUEST = UserId("usr_00000000000000000000000009")
PERSONAL = {
    Action.SESSION_BEGIN,
    Action.SESSION_END,
    Action.DEVICE_APPROVE,
    Action.USER_UPDATE,
    Action.SECRET_PUT,
    Action.SECRET_DELETE,
    Action.SSH_KEY_ADD,
    Action.SSH_KEY_REMOVE,
}
"""What a person does with what is theirs alone."""
LOOKS = {"read", "list", "enter"}


@pytest.fixture
def activity(memory: Memory) -> ActivityService:
    return ActivityService(memory.store, clock=memory.clock, wakeups=memory.wakeups)


async def events_of(memory: Memory) -> list[tuple[str, str]]:
    async with memory.store.reading() as tx:
        return [(event.type.value, event.data.get("state", "")) for event in await tx.events.after(ORG, 0, limit=999)]


def follow(memory: Memory, activity: ActivityService, *, after: int | None) -> AsyncGenerator[Told, None]:
    async def recognise() -> Actor:
        return memory.owner

    return activity.follow(recognise, ORG, after=after)


async def next_of(memory: Memory, following: AsyncGenerator[Told, None]) -> Told:
    return await finish(memory.clock, anext(following), max_seconds=60)


def test_every_change_is_told_unless_it_is_a_person_s_own() -> None:
    told = {action for action in Action if action.value.rpartition(".")[2] not in LOOKS}

    assert told - PERSONAL == set(EVENT_OF)


def test_nothing_is_audited_without_being_told() -> None:
    """Use cases say it once, by `record`; whoever writes to the audit log alone forgets the event."""
    for file in Path(spunto.core.__path__[0]).rglob("*.py"):
        if file.parent.name != "activity":
            calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
            assert "tx.audit.add" not in {ast.unparse(call.func) for call in calls}, file


async def test_a_worker_s_life_is_told_in_order(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()
    worker = (await memory.workers.spawn(memory.owner, ORG, project.id)).worker
    await memory.reported(worker.id)
    await memory.workers.stop(memory.owner, ORG, project.id, worker.id)
    await memory.reported(worker.id, phase=Phase.STOPPED, container_state="exited")
    await memory.workers.destroy(memory.owner, ORG, project.id, worker.id)
    await memory.gone(worker.id)

    assert await events_of(memory) == [
        ("project.created", ""),
        ("worker.spawned", ""),
        ("worker.state_changed", "ready"),
        ("worker.state_changed", "stopping"),
        ("worker.state_changed", "stopped"),
        ("worker.state_changed", "destroying"),
        ("worker.destroyed", ""),
    ]


async def test_what_changes_no_state_is_not_told(memory: Memory) -> None:
    await memory.add_node()
    project = await memory.add_project()
    worker = (await memory.workers.spawn(memory.owner, ORG, project.id)).worker
    await memory.reported(worker.id)
    told = await events_of(memory)

    await memory.report(worker.id, a_report(container_id="another"))

    assert await events_of(memory) == told


async def test_an_event_carries_the_request_that_caused_it(memory: Memory) -> None:
    node = (await memory.nodes.create(an_actor(request_id="req-1"), ORG, name="one")).node

    async with memory.store.reading() as tx:
        [event] = await tx.events.after(ORG, 0, limit=9)

    assert (event.type, event.subject_id, event.request_id) == (EventType.NODE_CREATED, node.id, "req-1")


async def test_whoever_joins_is_told_of_and_whom_others_invite_or_give_keys_is_not(memory: Memory) -> None:
    """Every member hears the events, but invitations and other people's keys are not for every member to read."""
    email, now = "guest@example.org", memory.clock.now()
    async with memory.store() as tx:
        await tx.members.add_user(User(id=GUEST, name="Guest", email=email, created_at=now))
        await tx.commit()
    made = await memory.invitations.create(memory.owner, ORG, email=email, role=Role.MEMBER)
    await memory.invitations.accept(an_actor(user_id=GUEST, roles={}), made.token)
    await memory.api_keys.create(
        memory.owner, ORG, name="CI", owner_type=OwnerType.ORG, scopes=frozenset({Scope.WORKERS_READ})
    )

    async with memory.store.reading() as tx:
        invited, joined, key = await tx.events.after(ORG, 0, limit=9)

    told = {"invitationId": made.invitation.id, "email": email, "role": "member"}
    assert (joined.type, joined.subject_id, joined.data) == (EventType.MEMBER_ADDED, GUEST, told)
    assert (invited.type, invited.data) == (EventType.INVITATION_CREATED, {})
    assert (key.type, key.data) == (EventType.API_KEY_CREATED, {})


async def test_a_refused_or_lost_change_is_not_told(memory: Memory) -> None:
    await memory.nodes.create(memory.owner, ORG, name="one")
    told = await events_of(memory)

    with pytest.raises(Exception, match="named 'one' already"):
        await memory.nodes.create(memory.owner, ORG, name="one")

    assert await events_of(memory) == told


async def test_a_follower_that_was_nowhere_hears_the_position_first(memory: Memory, activity: ActivityService) -> None:
    await memory.nodes.create(memory.owner, ORG, name="one")
    async with aclosing(follow(memory, activity, after=None)) as following:
        assert await next_of(memory, following) == Position(1)

        await memory.nodes.create(memory.owner, ORG, name="two")
        assert _numbers(await next_of(memory, following)) == [2]


async def test_a_follower_goes_on_behind_its_place_in_batches(memory: Memory, activity: ActivityService) -> None:
    for number in range(BATCH + 2):
        await memory.nodes.create(memory.owner, ORG, name=f"n{number}")
    async with aclosing(follow(memory, activity, after=1)) as following:
        first, rest = await next_of(memory, following), await next_of(memory, following)

    assert _numbers(first) + _numbers(rest) == list(range(2, BATCH + 3))


async def test_a_place_that_is_too_old_is_reset_to_the_newest(memory: Memory, activity: ActivityService) -> None:
    for name in ("one", "two"):
        await memory.nodes.create(memory.owner, ORG, name=name)
    memory.clock.advance((KEPT_FOR + timedelta(seconds=1)).total_seconds())
    await memory.nodes.create(memory.owner, ORG, name="three")

    pruned = await activity.prune()

    async with aclosing(follow(memory, activity, after=1)) as following:
        assert (pruned, await next_of(memory, following)) == (2, Reset(3))
    async with aclosing(follow(memory, activity, after=2)) as following:
        assert _numbers(await next_of(memory, following)) == [3]


async def test_a_place_that_never_was_is_reset(memory: Memory, activity: ActivityService) -> None:
    await memory.nodes.create(memory.owner, ORG, name="one")
    async with aclosing(follow(memory, activity, after=7)) as following:
        assert await next_of(memory, following) == Reset(1)


async def test_silence_is_broken_by_a_heartbeat(memory: Memory, activity: ActivityService) -> None:
    async with aclosing(follow(memory, activity, after=0)) as following:
        before = memory.clock.monotonic()

        assert await next_of(memory, following) == Heartbeat()
        assert await next_of(memory, following) == Heartbeat()
        assert memory.clock.monotonic() - before == 2 * HEARTBEAT_SECONDS


async def test_a_follower_that_may_not_any_more_hears_nothing_more(memory: Memory, activity: ActivityService) -> None:
    answers: list[Actor | Exception] = [
        memory.owner,
        Unavailable("database_unavailable", "Away."),
        an_actor(roles={}),
    ]

    async def recognise() -> Actor:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await memory.nodes.create(memory.owner, ORG, name="one")
    async with aclosing(activity.follow(recognise, ORG, after=0)) as following:
        assert _numbers(await next_of(memory, following)) == [1]
        await memory.nodes.create(memory.owner, ORG, name="two")

        with pytest.raises(StopAsyncIteration):
            await next_of(memory, following)
    assert answers == []


@pytest.mark.parametrize("end", [None, Unauthenticated("credential_not_good", "Revoked.")])
async def test_a_follower_is_let_go_at_a_stop_and_when_revoked(
    memory: Memory, activity: ActivityService, end: Exception | None
) -> None:
    async def recognise() -> Actor | None:
        if end is not None:
            raise end
        return None

    with pytest.raises(StopAsyncIteration):
        await anext(activity.follow(recognise, ORG, after=0))


async def test_a_member_may_follow_and_read_no_audit(memory: Memory, activity: ActivityService) -> None:
    member = an_actor(role=Role.MEMBER)

    async def recognise() -> Actor:
        return member

    async with aclosing(activity.follow(recognise, ORG, after=None)) as following:
        assert await next_of(memory, following) == Position(0)


def _numbers(told: Told) -> list[int]:
    assert isinstance(told, list), told
    return [event.sequence for event in told if isinstance(event, Event)]
