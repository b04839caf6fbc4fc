"""Deliveries: every event once taken in, sent until it arrives or is given up, and never lost or held up for ever."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from standardwebhooks import Webhook as Verifier
from tests.unit.core.builders import ORG
from tests.unit.core.memory import Memory

from spunto.core.activity.events import Event, EventType
from spunto.core.kernel.errors import Conflict, NotFound
from spunto.core.kernel.idempotency import IdempotencyKey
from spunto.core.kernel.paging import PageRequest
from spunto.core.webhooks.courier import AT_ONCE, KIND
from spunto.core.webhooks.model import (
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Failure,
    Webhook,
    WebhookId,
    WebhookWithSecret,
)
from spunto.core.webhooks.ports import Answer
from spunto.core.webhooks.schedule import DELAYS_SECONDS
from spunto.entrypoints.http.activity import event_out
from spunto.entrypoints.http.responses import json_bytes

URL = "https://hooks.example.org/"
OFF = frozenset({EventType.NODE_OFFLINE})


async def a_webhook(memory: Memory, *only: EventType) -> WebhookWithSecret:
    return await memory.webhooks.create(memory.owner, ORG, url=URL, events=frozenset(only) or None)


async def happen(memory: Memory, *kinds: EventType) -> Sequence[Event]:
    async with memory.store() as tx:
        before = await tx.events.last(ORG)
        for kind in kinds:
            event = Event(
                id=memory.ids.new("evt"),
                org_id=ORG,
                type=kind,
                subject_id="nod_1",
                data={"ü": "é"},
                at=memory.clock.now(),
            )
            await tx.events.add(event)
        await tx.commit()
    async with memory.store.reading() as tx:
        return await tx.events.after(ORG, before, limit=100)


async def deliveries(memory: Memory, webhook_id: WebhookId) -> list[Delivery]:
    """The oldest first."""
    page = await memory.deliveries.list(memory.owner, ORG, webhook_id, PageRequest(limit=200))
    return list(page.items)[::-1]


async def webhook_of(memory: Memory, webhook_id: WebhookId) -> Webhook:
    return await memory.webhooks.get(memory.owner, ORG, webhook_id)


async def until_quiet(memory: Memory, webhook_id: WebhookId) -> list[float]:
    """Handle it as the loop would, letting time pass; the waits in between."""
    waits = []
    while (seconds := await memory.courier.handle(webhook_id)) is not None:
        memory.clock.advance(seconds)
        waits.append(seconds)
    return [seconds for seconds in waits if seconds]


async def test_everything_that_happens_after_its_making_is_sent_as_the_stream_tells_it(memory: Memory) -> None:
    await happen(memory, EventType.NODE_ONLINE)
    made = await a_webhook(memory)
    [offline, online] = await happen(memory, EventType.NODE_OFFLINE, EventType.NODE_ONLINE)

    assert await memory.courier.handle(made.webhook.id) is None

    async with memory.store.reading() as tx:
        created, *_ = await tx.events.after(ORG, 1, limit=1)
    assert [body for _, _, body in memory.receiver.sent] == [
        json_bytes(event_out(event)) for event in (created, offline, online)
    ]
    assert [headers["webhook-id"] for _, headers, _ in memory.receiver.sent] == [created.id, offline.id, online.id]
    assert {each.status for each in await deliveries(memory, made.webhook.id)} == {DeliveryStatus.DELIVERED}
    assert await memory.courier.handle(made.webhook.id) is None
    assert len(memory.receiver.sent) == 3


async def test_only_what_it_wants_is_sent(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    [_, wanted, _] = await happen(memory, EventType.NODE_ONLINE, EventType.NODE_OFFLINE, EventType.NODE_DRAINED)

    await memory.courier.handle(made.webhook.id)

    assert [headers["webhook-id"] for _, headers, _ in memory.receiver.sent] == [wanted.id]
    assert (await webhook_of(memory, made.webhook.id)).read_to == wanted.sequence + 1


async def test_a_long_feed_is_sent_in_its_order_a_few_at_once(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    told = [
        *await happen(memory, *[EventType.NODE_OFFLINE] * 90),
        *await happen(memory, *[EventType.NODE_OFFLINE] * 40),
    ]

    assert await memory.courier.handle(made.webhook.id) == 0.0
    assert len(memory.receiver.sent) == AT_ONCE
    await until_quiet(memory, made.webhook.id)

    assert [headers["webhook-id"] for _, headers, _ in memory.receiver.sent] == [event.id for event in told]


async def test_what_comes_behind_many_events_that_it_does_not_want_is_not_left_for_later(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    *_, wanted = await happen(memory, *[EventType.NODE_ONLINE] * 99, EventType.NODE_OFFLINE)

    assert await memory.courier.handle(made.webhook.id) == 0.0
    assert await memory.courier.handle(made.webhook.id) is None

    assert [headers["webhook-id"] for _, headers, _ in memory.receiver.sent] == [wanted.id]


async def test_receivers_verify_by_both_secrets_for_a_day_after_a_rotation(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", _Now(memory))
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    rotated = await memory.webhooks.rotate_secret(memory.owner, ORG, made.webhook.id)
    counts = []
    for _ in range(2):
        await happen(memory, EventType.NODE_OFFLINE)
        await until_quiet(memory, made.webhook.id)
        _, headers, body = memory.receiver.sent[-1]
        counts.append(len(headers["webhook-signature"].split()))
        Verifier(rotated.secret.reveal()).verify(body.decode(), dict(headers))
        memory.clock.advance(24 * 3600)

    assert counts == [2, 1]


async def test_a_failure_is_tried_again_on_the_schedule_and_then_given_up(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)
    memory.receiver.answers = [Answer(status=500), Answer(failure=Failure.TIMEOUT), *[Answer(status=301)] * 6]

    waits = await until_quiet(memory, made.webhook.id)

    assert [
        round(wait / usual, 1) in (0.8, 0.9, 1.0, 1.1, 1.2) for wait, usual in zip(waits, DELAYS_SECONDS, strict=True)
    ]
    [delivery] = await deliveries(memory, made.webhook.id)
    assert (delivery.status, delivery.attempts, delivery.failure) == (DeliveryStatus.FAILED, 8, Failure.REDIRECTED)
    assert (delivery.response_status, delivery.next_attempt_at) == (301, None)
    assert {headers["webhook-id"] for _, headers, _ in memory.receiver.sent} == {delivery.event_id}
    assert len({headers["webhook-timestamp"] for _, headers, _ in memory.receiver.sent}) == 8


async def test_a_retry_that_arrives_ends_it(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)
    memory.receiver.answers = [Answer(status=500)]

    await memory.courier.handle(made.webhook.id)
    [pending] = await deliveries(memory, made.webhook.id)
    assert (await webhook_of(memory, made.webhook.id)).failing_since == memory.clock.now()
    await until_quiet(memory, made.webhook.id)

    [delivery] = await deliveries(memory, made.webhook.id)
    assert (pending.status, pending.failure) == (DeliveryStatus.PENDING, Failure.STATUS)
    assert (delivery.status, delivery.attempts, delivery.failure) == (DeliveryStatus.DELIVERED, 2, None)
    assert (await webhook_of(memory, made.webhook.id)).failing_since is None


async def test_410_disables_it_at_once_and_gives_up_what_waits(memory: Memory) -> None:
    made, other = await a_webhook(memory, EventType.NODE_OFFLINE), await a_webhook(memory, EventType.WEBHOOK_DISABLED)
    await happen(memory, *[EventType.NODE_OFFLINE] * (AT_ONCE + 1))
    memory.receiver.answers = [Answer(status=204), Answer(status=410)]

    assert await until_quiet(memory, made.webhook.id) == []

    after = await webhook_of(memory, made.webhook.id)
    assert (after.enabled, after.disabled_reason) == (False, DisabledReason.GONE)
    assert [each.failure for each in await deliveries(memory, made.webhook.id)] == [
        None, Failure.GONE, None, None, Failure.WEBHOOK_DISABLED,
    ]  # fmt: skip
    await until_quiet(memory, other.webhook.id)
    told = json.loads(memory.receiver.sent[-1][2])
    assert (told["type"], told["subjectId"], told["data"]) == ("webhook.disabled", made.webhook.id, {"reason": "gone"})


async def test_five_days_of_nothing_but_failures_disable_it(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    memory.receiver.answers = [Answer(status=500)] * 1000
    begun = memory.clock.now()
    while (await webhook_of(memory, made.webhook.id)).enabled:
        await happen(memory, EventType.NODE_OFFLINE)
        await memory.courier.handle(made.webhook.id)
        memory.clock.advance(6 * 3600)

    after = await webhook_of(memory, made.webhook.id)
    assert after.disabled_reason is DisabledReason.FAILING
    assert (memory.clock.now() - begun).total_seconds() == 5 * 86400 + 6 * 3600
    assert {each.status for each in await deliveries(memory, made.webhook.id)} == {DeliveryStatus.FAILED}


async def test_one_success_in_between_starts_the_count_anew(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    for day in range(12):
        memory.receiver.answers = [Answer(status=204 if day == 4 else 500)] * AT_ONCE
        await happen(memory, EventType.NODE_OFFLINE)
        await memory.courier.handle(made.webhook.id)
        if day in (8, 9):
            assert (await webhook_of(memory, made.webhook.id)).enabled
        memory.clock.advance(86400)

    assert not (await webhook_of(memory, made.webhook.id)).enabled


async def test_disabled_by_hand_it_gives_up_what_waits(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)
    memory.receiver.answers = [Answer(status=500)]
    await memory.courier.handle(made.webhook.id)
    await memory.webhooks.update(memory.owner, ORG, made.webhook.id, enabled=False)

    assert await memory.courier.handle(made.webhook.id) is None

    [delivery] = await deliveries(memory, made.webhook.id)
    assert (delivery.status, delivery.failure) == (DeliveryStatus.FAILED, Failure.WEBHOOK_DISABLED)
    with pytest.raises(Conflict) as caught:
        await memory.deliveries.redeliver(memory.owner, ORG, made.webhook.id, delivery.id)
    assert caught.value.code == "webhook_disabled"


async def test_two_that_take_in_at_once_take_in_once(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)

    async def another() -> None:
        await memory.courier._take_in(made.webhook.id)

    memory.racing.interference = [another]
    await memory.courier.handle(made.webhook.id)

    assert len(await deliveries(memory, made.webhook.id)) == len(memory.receiver.sent) == 1


async def test_a_death_between_taking_in_and_sending_loses_nothing(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)

    async def die() -> None:
        raise asyncio.CancelledError

    memory.receiver.meanwhile = die
    with pytest.raises(asyncio.CancelledError):
        await memory.courier.handle(made.webhook.id)
    memory.receiver.meanwhile = None
    await memory.courier.handle(made.webhook.id)

    sent = [headers["webhook-id"] for _, headers, _ in memory.receiver.sent]
    assert (len(sent), len(set(sent))) == (2, 1)
    assert [each.status for each in await deliveries(memory, made.webhook.id)] == [DeliveryStatus.DELIVERED]


async def test_what_is_asked_for_again_while_it_is_sent_is_sent_again(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)

    async def ask_again() -> None:
        memory.receiver.meanwhile = None
        [delivery] = await deliveries(memory, made.webhook.id)
        await memory.deliveries.redeliver(memory.owner, ORG, made.webhook.id, delivery.id)

    memory.receiver.meanwhile = ask_again
    await until_quiet(memory, made.webhook.id)

    assert len(memory.receiver.sent) == 2


async def test_a_redelivery_is_the_same_message_with_the_whole_schedule_before_it(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)
    memory.receiver.answers = [Answer(status=500)] * 9
    await until_quiet(memory, made.webhook.id)
    [failed] = await deliveries(memory, made.webhook.id)

    asked = await memory.deliveries.redeliver(memory.owner, ORG, made.webhook.id, failed.id)
    waits = await until_quiet(memory, made.webhook.id)

    assert (asked.status, asked.attempts) == (DeliveryStatus.PENDING, 0)
    assert len(waits) == 1
    assert len({(headers["webhook-id"], body) for _, headers, body in memory.receiver.sent}) == 1
    assert (await deliveries(memory, made.webhook.id))[0].status is DeliveryStatus.DELIVERED


async def test_a_repeated_redelivery_is_sent_once(memory: Memory) -> None:
    made, key = await a_webhook(memory, EventType.NODE_OFFLINE), IdempotencyKey(key="k", fingerprint=b"f")
    await happen(memory, EventType.NODE_OFFLINE)
    await until_quiet(memory, made.webhook.id)
    [delivery] = await deliveries(memory, made.webhook.id)

    for _ in range(2):
        await memory.deliveries.redeliver(memory.owner, ORG, made.webhook.id, delivery.id, idempotency=key)
        await until_quiet(memory, made.webhook.id)

    assert len(memory.receiver.sent) == 2


async def test_a_test_is_sent_signed_and_stands_in_no_feed(memory: Memory) -> None:
    made, key = await a_webhook(memory, EventType.NODE_OFFLINE), IdempotencyKey(key="k", fingerprint=b"f")
    delivery = await memory.deliveries.test(memory.owner, ORG, made.webhook.id, idempotency=key)

    assert await memory.deliveries.test(memory.owner, ORG, made.webhook.id, idempotency=key) == delivery
    [claim] = await memory.store.queue.claim(KIND, now=memory.clock.now(), limit=9, for_seconds=30)
    await memory.courier.handle(claim.subject_id)

    [(_, headers, body)] = memory.receiver.sent
    told = json.loads(body)
    assert (headers["webhook-id"], told["type"], told["subjectId"]) == (told["id"], "webhook.ping", made.webhook.id)
    async with memory.store.reading() as tx:
        assert [event.type for event in await tx.events.after(ORG, 0, limit=9)] == [EventType.WEBHOOK_CREATED]
    assert (await memory.audit())["webhook.update"] == 1


async def test_deliveries_are_one_webhook_s_own(memory: Memory) -> None:
    one, other = await a_webhook(memory, EventType.NODE_OFFLINE), await a_webhook(memory, EventType.NODE_OFFLINE)
    delivery = await memory.deliveries.test(memory.owner, ORG, one.webhook.id)

    assert await memory.deliveries.get(memory.owner, ORG, one.webhook.id, delivery.id) == delivery
    for ask in (memory.deliveries.get, memory.deliveries.redeliver):
        with pytest.raises(NotFound) as caught:
            await ask(memory.owner, ORG, other.webhook.id, delivery.id)
        assert caught.value.code == "webhook_delivery_not_found"


async def test_the_watch_makes_due_who_has_not_read_to_the_end(memory: Memory) -> None:
    made, other = await a_webhook(memory), await a_webhook(memory)
    await memory.courier.handle(other.webhook.id)

    assert await memory.watch.look() == 1

    claims = await memory.store.queue.claim(KIND, now=memory.clock.now(), limit=9, for_seconds=30)
    assert [claim.subject_id for claim in claims] == [made.webhook.id]
    await memory.courier.handle(made.webhook.id)
    assert await memory.watch.look() == 0


async def test_old_deliveries_are_forgotten_unless_they_wait(memory: Memory) -> None:
    made = await a_webhook(memory, EventType.NODE_OFFLINE)
    await happen(memory, EventType.NODE_OFFLINE)
    await memory.courier.handle(made.webhook.id)
    memory.clock.advance(7 * 86400)
    waiting = await memory.deliveries.test(memory.owner, ORG, made.webhook.id)
    memory.clock.advance(1)

    assert await memory.watch.prune() == 1
    assert await deliveries(memory, made.webhook.id) == [waiting]


class _Now:
    """The clock of the test in place of the one that the verifying library looks at."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def now(self, tz: object = None) -> object:
        return self._memory.clock.now()

    def fromtimestamp(self, seconds: float, tz: object = None) -> object:
        return type(self._memory.clock.now()).fromtimestamp(seconds, tz=tz)  # type: ignore[arg-type]  # as it was given
