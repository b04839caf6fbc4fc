"""The audit log and the event feed over HTTP, and what a refusal leaves behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.unit.entrypoints.http.house import House, Person, json_of, problem_of
from tests.unit.entrypoints.http.site import Site, a_node
from tests.unit.entrypoints.ws.visitor import Visitor

from spunto.core.access.policy import Role
from spunto.core.kernel.secret import Secret
from spunto.testing.settling import settle

NO_ORG = "org_00000000000000000000000000"


async def audit_of(house: House, owner: Person, query: str = "") -> list[dict[str, Any]]:
    await settle()
    answer = await house.call(owner, "GET", f"/api/orgs/{owner.org_id}/audit{query}")
    items: list[dict[str, Any]] = (await json_of(answer))["items"]
    return items


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows the events."""

    connection: Any

    async def next(self) -> bytes:
        message: bytes = await asyncio.wait_for(self.connection.receive(), timeout=10)
        return message

    @property
    def is_over(self) -> bool:
        """Ended, and nothing more was said."""
        left = self.connection._receive_queue
        return bool(self.connection._task.done()) and [left.get_nowait() for _ in range(left.qsize())] == [b""]


@asynccontextmanager
async def stream(house: House, person: Person, query: str = "", **headers: str) -> AsyncIterator[Reader]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/api/orgs/{person.org_id}/events{query}"
    async with house.client.request(path, headers={**person.bearer, **named}) as connection:
        await connection.send_complete()
        reader = Reader(connection)
        assert await reader.next() == b"retry: 1000\n\n"
        yield reader
        await connection.disconnect()


def data_of(message: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in message.splitlines() if line.startswith(b"data: ")]


async def test_a_change_stands_in_the_audit_log_with_who_and_how(house: House) -> None:
    ann = await house.person("ann")
    made = await json_of(
        await house.call(
            ann, "POST", f"/api/orgs/{ann.org_id}/nodes", {"name": "one"}, headers={"X-Request-Id": "trace-01"}
        )
    )

    [entry] = await audit_of(house, ann)

    assert {**entry, "id": "", "at": "", "credentialId": entry["credentialId"][:4]} == {
        "id": "",
        "at": "",
        "actorKind": "user",
        "actorId": ann.user_id,
        "credentialId": "ses_",
        "action": "node.create",
        "targetId": made["node"]["id"],
        "outcome": "allowed",
        "requestId": "trace-01",
        "detail": {"name": "one"},
    }


async def test_the_log_is_filtered_and_paged(house: House) -> None:
    ann = await house.person("ann")
    for name in ("one", "two", "three"):
        await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/nodes", {"name": name})
    everything = await audit_of(house, ann)

    page = await json_of(await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/audit?limit=2"))
    rest = await json_of(
        await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/audit?limit=2&cursor={page['nextCursor']}")
    )

    assert [*page["items"], *rest["items"]] == everything
    target = everything[1]["targetId"]
    assert await audit_of(house, ann, f"?target={target}&action=node.create") == [everything[1]]
    assert await audit_of(house, ann, "?outcome=refused") == []
    assert await audit_of(house, ann, "?until=2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize("query", ["?action=node.explode", "?outcome=maybe", "?since=yesterday", "?color=red"])
async def test_a_filter_that_is_none_is_refused(house: House, query: str) -> None:
    ann = await house.person("ann")

    problem = await problem_of(await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/audit{query}"))

    assert problem["code"] == "invalid_query"


async def test_json_lines_are_everything_that_matches(house: House) -> None:
    ann = await house.person("ann")
    for number in range(205):
        await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/nodes", {"name": f"n{number}"})

    answer = await house.call(
        ann, "GET", f"/api/orgs/{ann.org_id}/audit?action=node.create", headers={"Accept": "application/x-ndjson"}
    )

    lines = [json.loads(line) for line in (await answer.get_data(as_text=True)).splitlines()]
    assert answer.content_type == "application/x-ndjson"
    assert (len(lines), len({line["id"] for line in lines})) == (205, 205)


async def test_members_read_no_audit_log(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)

    problem = await problem_of(await house.call(bob, "GET", f"/api/orgs/{ann.org_id}/audit"))

    assert problem["code"] == "role_required"


async def test_a_refusal_inside_the_organization_is_recorded(site: Site) -> None:
    bob = await site.member("bob")
    project = await site.project()
    await a_node(site)
    worker = await site.worker(project)
    site.house.clock.advance(1)

    await site.call("POST", f"{site.org}/nodes", {"name": "x"}, by=bob)
    await site.call("POST", f"{worker}/exec", {"command": "true"}, by=bob)

    entries = await audit_of(site.house, site.owner, "?outcome=refused")
    assert [(each["action"], each["targetId"], each["actorId"], each["detail"]) for each in entries] == [
        ("worker.enter", worker.rpartition("/")[2], bob.user_id, {"code": "not_owner"}),
        ("node.create", site.owner.org_id, bob.user_id, {"code": "role_required"}),
    ]


async def test_a_refusal_at_a_worker_by_its_id_alone_names_the_worker(site: Site) -> None:
    bob = await site.member("bob")
    project = await site.project()
    await a_node(site)
    worker_id = (await site.worker(project)).rpartition("/")[2]
    site.house.clock.advance(1)

    await site.call("POST", f"{site.org}/workers/{worker_id}/stop", {}, by=bob)

    [entry] = await audit_of(site.house, site.owner, "?outcome=refused")
    assert (entry["action"], entry["targetId"]) == ("worker.stop", worker_id)


async def test_a_stranger_s_refusal_is_recorded_where_it_went_and_told_like_nowhere(site: Site) -> None:
    eve = await site.house.person("eve")
    foreign = await site.house.call(eve, "GET", f"{site.org}/projects/prj_00000000000000000000000000")
    missing = await site.house.call(eve, "GET", f"/api/orgs/{NO_ORG}/projects/prj_00000000000000000000000000")

    told = [str(await problem_of(answer)) for answer in (foreign, missing)]
    blank = [
        text.replace(org, "ORG").replace(answer.headers["X-Request-Id"], "REQ")
        for text, org, answer in zip(told, (site.owner.org_id, NO_ORG), (foreign, missing), strict=True)
    ]
    assert blank[0] == blank[1]
    [entry] = await audit_of(site.house, site.owner, "?outcome=refused")
    assert (entry["actorId"], entry["action"], entry["targetId"]) == (eve.user_id, "project.read", site.owner.org_id)
    assert await audit_of(site.house, eve, "?outcome=refused") == []


async def test_a_thing_that_is_missing_is_no_refusal(site: Site) -> None:
    await site.call("GET", f"{site.org}/projects/prj_00000000000000000000000000")

    assert await audit_of(site.house, site.owner, "?outcome=refused") == []


@pytest.mark.parametrize("mode", ["terminal", "logs"])
async def test_a_terminal_that_is_refused_is_recorded_in_the_worker_s_organization(site: Site, mode: str) -> None:
    eve = await site.house.person("eve")
    await a_node(site)
    worker = await site.worker()
    worker_id = worker.rpartition("/")[2]

    async with Visitor(site.house.app, f"/api/workers/{worker_id}/terminal?mode={mode}", eve.bearer) as visitor:
        assert (await visitor.refusal())[0] == 404

    [entry] = await audit_of(site.house, site.owner, "?outcome=refused")
    action = "worker.enter" if mode == "terminal" else "worker_output.read"
    assert (entry["actorId"], entry["action"]) == (eve.user_id, action)


async def test_the_position_comes_first_and_then_what_happens(house: House) -> None:
    ann = await house.person("ann")
    await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/nodes", {"name": "one"})
    async with stream(house, ann) as reader:
        assert await reader.next() == b'id: 1\nevent: position\ndata: {"sequence":1}\n\n'
        made = await json_of(
            await house.call(
                ann, "POST", f"/api/orgs/{ann.org_id}/nodes", {"name": "two"}, headers={"X-Request-Id": "trace-02"}
            )
        )

        message = await reader.next()

    assert message.startswith(b"id: 2\ndata: ")
    [event] = data_of(message)
    assert {**event, "id": event["id"][:4], "at": ""} == {
        "id": "evt_",
        "sequence": 2,
        "orgId": ann.org_id,
        "type": "node.created",
        "subjectId": made["node"]["id"],
        "data": {"name": "two"},
        "at": "",
        "requestId": "trace-02",
    }
    assert reader.connection.headers["Content-Type"] == "text/event-stream"


@pytest.mark.parametrize(
    ("query", "headers"), [("?after=1", {}), ("", {"Last_Event_ID": "1"}), ("?after=0", {"Last_Event_ID": "1"})]
)
async def test_a_reader_goes_on_where_it_was(house: House, query: str, headers: dict[str, str]) -> None:
    ann = await house.person("ann")
    for name in ("one", "two", "three"):
        await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/nodes", {"name": name})

    async with stream(house, ann, query, **headers) as reader:
        message = await reader.next()

    assert [event["sequence"] for event in data_of(message)] == [2, 3]


async def test_a_place_that_is_not_known_is_reset(house: House) -> None:
    ann = await house.person("ann")

    async with stream(house, ann, "?after=9") as reader:
        assert await reader.next() == b'id: 0\nevent: reset\ndata: {"sequence":0}\n\n'


@pytest.mark.parametrize("place", ["-1", "x", "9" * 20, "1.5"])
async def test_a_place_that_is_no_number_is_refused(house: House, place: str) -> None:
    ann = await house.person("ann")
    path = f"/api/orgs/{ann.org_id}/events"

    by_header = await problem_of(await house.call(ann, "GET", path, headers={"Last-Event-ID": place}))
    by_query = await problem_of(await house.call(ann, "GET", f"{path}?after={place}"))

    assert (by_header["code"], by_query["code"]) == ("invalid_event_id", "invalid_query")


async def test_a_removed_member_s_stream_ends_within_seconds(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)
    async with stream(house, bob) as reader:
        await reader.next()

        answer = await house.call(ann, "DELETE", f"/api/orgs/{ann.org_id}/members/{bob.user_id}")
        assert answer.status_code == 204
        await settle()

        assert reader.is_over


async def test_a_session_that_is_ended_elsewhere_ends_the_stream_at_the_next_look(house: House) -> None:
    ann = await house.person("ann")
    async with stream(house, ann) as reader:
        await reader.next()
        actor = await house.access.authenticate(Secret(ann.token))
        async with house.store() as tx:
            # Another process does it: nothing hints this one.
            await tx.sessions.revoke(actor.credential_id, at=house.clock.now())
            await tx.commit()

        for _ in range(5):
            house.clock.advance(1)
            await settle()

        assert reader.is_over


async def test_a_stopping_server_ends_its_streams_and_lets_no_new_one_in(house: House) -> None:
    ann = await house.person("ann")
    async with stream(house, ann) as reader:
        await reader.next()

        await asyncio.wait_for(house.streams.end_all(), timeout=1)
        await settle()

        assert reader.is_over
    problem = await problem_of(await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/events"))
    assert (problem["status"], problem["code"]) == (503, "server_stopping")


async def test_who_asks_by_head_gets_no_stream(house: House) -> None:
    ann = await house.person("ann")

    answer = await house.call(ann, "HEAD", f"/api/orgs/{ann.org_id}/events")

    assert (answer.status_code, answer.content_type) == (200, "text/event-stream")
