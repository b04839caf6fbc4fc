"""Webhooks over HTTP: shapes, merge patches, refusals, and what is never shown."""

from typing import Any

import pytest
from tests.unit.entrypoints.http.house import House, Person, json_of, problem_of

from spunto.core.activity.events import EventType

URL = "https://hooks.example.org/T0/secret-path"


@pytest.fixture
async def ann(house: House) -> Person:
    return await house.person("ann")


def path(person: Person, *more: str) -> str:
    return "/".join([f"/api/orgs/{person.org_id}/webhooks", *more])


async def made(house: House, person: Person, **fields: Any) -> dict[str, Any]:
    answer = await house.call(person, "POST", path(person), {"url": URL, **fields})
    assert answer.status_code == 201, await answer.get_data(as_text=True)
    webhook: dict[str, Any] = await json_of(answer)
    return webhook


async def test_the_secret_is_in_the_answers_that_make_it_and_in_no_other(house: House, ann: Person) -> None:
    webhook = await made(house, ann, events=["worker.spawned"], description="CI")
    secret = webhook.pop("secret")

    shown = await json_of(await house.call(ann, "GET", path(ann, webhook["id"])))
    listed = await json_of(await house.call(ann, "GET", path(ann)))
    rotated = await json_of(await house.call(ann, "POST", path(ann, webhook["id"], "rotate-secret")))

    assert secret.startswith("whsec_")
    assert (
        shown
        == webhook
        == {
            "id": webhook["id"],
            "orgId": ann.org_id,
            "url": URL,
            "description": "CI",
            "events": ["worker.spawned"],
            "enabled": True,
            "disabledReason": None,
            "failingSince": None,
            "createdAt": webhook["createdAt"],
            "updatedAt": webhook["createdAt"],
        }
    )
    assert listed == {"items": [webhook], "nextCursor": None}
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != secret


async def test_a_repeat_under_the_same_key_makes_one(house: House, ann: Person) -> None:
    key = {"Idempotency-Key": "k"}
    first = await house.call(ann, "POST", path(ann), {"url": URL}, headers=key)
    again = await house.call(ann, "POST", path(ann), {"url": URL}, headers=key)
    other = await house.call(ann, "POST", path(ann), {"url": f"{URL}/2"}, headers=key)

    refused = await problem_of(again)
    assert (refused["code"], refused["id"]) == ("token_not_repeatable", (await json_of(first))["id"])
    assert (await problem_of(other))["code"] == "idempotency_key_reused"


async def test_a_patch_changes_what_it_names_and_null_asks_for_everything(house: House, ann: Person) -> None:
    webhook = await made(house, ann, events=["node.online", "node.offline"])

    async def patch(body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await json_of(await house.call(ann, "PATCH", path(ann, webhook["id"]), body))
        return found

    assert (await patch({"description": "x"}))["events"] == ["node.offline", "node.online"]
    assert (await patch({"events": None}))["events"] is None
    assert (await patch({"events": ["org.updated"], "enabled": False}))["enabled"] is False
    after = await patch({"url": "https://8.8.8.8/"})
    assert (after["url"], after["description"], after["events"], after["enabled"]) == (
        "https://8.8.8.8/", "x", ["org.updated"], False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"url": "ftp://x"}, "invalid_request"),
        ({"url": URL, "events": []}, "invalid_request"),
        ({"url": URL, "events": ["worker.exploded"]}, "invalid_request"),
        ({"url": URL, "events": ["webhook.ping"]}, "invalid_request"),
        ({"url": URL, "secret": "whsec_x"}, "invalid_request"),
        ({"url": "https://user@hooks.example.org/"}, "webhook_url_invalid"),
        ({"url": "http://hooks.example.org/"}, "webhook_url_not_allowed"),
        ({"url": "https://127.0.0.1/"}, "webhook_url_not_allowed"),
    ],
)
async def test_what_can_not_be_a_webhook_is_refused(house: House, ann: Person, body: Any, code: str) -> None:
    answer = await house.call(ann, "POST", path(ann), body)

    assert (answer.status_code, (await problem_of(answer))["code"]) == (422, code)


async def test_every_type_of_event_may_be_asked_for(house: House, ann: Person) -> None:
    webhook = await made(house, ann, events=[kind.value for kind in EventType])

    assert webhook["events"] == sorted(kind.value for kind in EventType)


async def test_a_test_s_delivery_is_listed_asked_for_again_and_never_shows_a_body(house: House, ann: Person) -> None:
    webhook = await made(house, ann)
    answer = await house.call(ann, "POST", path(ann, webhook["id"], "test"))
    delivery = await json_of(answer)

    deliveries = path(ann, webhook["id"], "deliveries")
    listed = await json_of(await house.call(ann, "GET", deliveries))
    none = await json_of(await house.call(ann, "GET", f"{deliveries}?status=failed"))
    one = await json_of(await house.call(ann, "GET", f"{deliveries}/{delivery['id']}"))
    again = await house.call(ann, "POST", f"{deliveries}/{delivery['id']}/redeliver")

    assert answer.status_code == again.status_code == 202
    assert (
        delivery
        == one
        == {
            "id": delivery["id"],
            "webhookId": webhook["id"],
            "eventId": delivery["eventId"],
            "type": "webhook.ping",
            "status": "pending",
            "attempts": 0,
            "responseStatus": None,
            "error": None,
            "durationMs": None,
            "createdAt": delivery["createdAt"],
            "lastAttemptAt": None,
            "nextAttemptAt": delivery["createdAt"],
        }
    )
    assert (listed["items"], none["items"]) == ([delivery], [])
    assert await json_of(again) == delivery


async def test_what_was_deleted_or_is_another_s_is_not_there(house: House, ann: Person) -> None:
    bob = await house.person("bob")
    webhook, foreign = await made(house, ann), await made(house, bob)
    assert (await house.call(ann, "DELETE", path(ann, webhook["id"]))).status_code == 204

    for which in (webhook["id"], foreign["id"], "whk_nonsense"):
        for method, more in (("GET", ()), ("DELETE", ()), ("POST", ("test",)), ("GET", ("deliveries",))):
            problem = await problem_of(await house.call(ann, method, path(ann, which, *more)))
            assert problem["code"] == "webhook_not_found"
    no_delivery = await house.call(bob, "GET", path(bob, foreign["id"], "deliveries", "whd_nonsense"))
    assert (await problem_of(no_delivery))["code"] == "webhook_delivery_not_found"


async def test_a_disabled_one_is_sent_no_test(house: House, ann: Person) -> None:
    webhook = await made(house, ann, enabled=False)

    answer = await house.call(ann, "POST", path(ann, webhook["id"], "test"))

    assert (answer.status_code, (await problem_of(answer))["code"]) == (409, "webhook_disabled")
