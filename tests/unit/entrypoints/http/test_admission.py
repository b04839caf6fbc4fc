"""Ids in addresses: what is not even an id is unknown as what it would be, and every id is told by its own prefix."""

from typing import Any

import pytest
from quart import Quart
from tests.unit.authorization.world import PREFIXES
from tests.unit.entrypoints.http.house import House, build_house, json_of, problem_of

from spunto.core.access.policy import Role
from spunto.entrypoints.http.admission import IDS, install_admission

NONSENSE = "nonsense"
PLACES = {
    "organization": "/api/orgs/nonsense",
    "user": "/api/orgs/{org}/members/nonsense",
    "invitation": "/api/orgs/{org}/invites/nonsense",
    "api_key": "/api/orgs/{org}/api-keys/nonsense",
    "project": "/api/orgs/{org}/projects/nonsense",
    "node": "/api/orgs/{org}/nodes/nonsense",
    "worker": "/api/orgs/{org}/projects/{project}/workers/nonsense",
    "secret": "/api/users/me/secrets/nonsense",
    "ssh_key": "/api/users/me/ssh-keys/nonsense",
    "webhook": "/api/orgs/{org}/webhooks/nonsense",
}


async def test_a_delivery_is_an_unknown_one_of_its_webhook(house: House) -> None:
    ann = await house.person("ann")
    path = f"/api/orgs/{ann.org_id}/webhooks/{house.ids.new('whk')}/deliveries/nonsense/redeliver"

    assert (await problem_of(await house.call(ann, "POST", path)))["code"] == "webhook_delivery_not_found"


@pytest.mark.parametrize("noun", PLACES)
async def test_what_is_no_id_is_an_unknown_thing_of_its_kind(house: House, noun: str) -> None:
    ann = await house.person("ann")
    path = PLACES[noun].format(org=ann.org_id, project=house.ids.new("prj"))

    # A foreign organization is told before a malformed id, so the caller's own is named.
    problem = await problem_of(await house.call(ann, "DELETE", path))

    expected = ("organization_not_found" if noun == "organization" else f"{noun}_not_found", 404)
    assert (problem["code"], problem["status"]) == expected


def test_ids_have_the_prefixes_that_are_minted() -> None:
    told = {f"{name[:1]}{name.title().replace('_', '')[1:]}": prefix for name, (prefix, _) in IDS.items()}

    assert {name: told[name] for name in PREFIXES} == PREFIXES


@pytest.mark.parametrize("unknown", [True, False])
def test_a_route_without_an_entry_and_an_entry_without_a_route_stop_the_start(unknown: bool) -> None:
    house = build_house()
    app: Any = house.app if unknown else Quart("empty", static_folder=None)
    if unknown:
        app._got_first_request = False
        app.add_url_rule("/surprise", "surprise", lambda: "")

    with pytest.raises(RuntimeError, match="/surprise" if unknown else "GET /healthz"):
        install_admission(app, house.gate)


@pytest.mark.parametrize(
    ("method", "below", "about"),
    [
        ("DELETE", "/nodes/{node}", "node"),
        ("POST", "/nodes/{node}/token", "node"),
        ("GET", "/audit", "org"),
        ("POST", "/projects/{project}/versions/1/restore", "project"),
    ],
)
async def test_a_refusal_is_written_down_with_the_innermost_thing_that_was_named(
    house: House, method: str, below: str, about: str
) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)
    named = {"org": ann.org_id, "node": house.ids.new("nod"), "project": house.ids.new("prj")}
    asking = {"name": "k", "ownerType": "user", "scopes": ["org:read"]}
    key = await json_of(await house.call(bob, "POST", f"/api/orgs/{ann.org_id}/api-keys", asking))
    bob.token = key["token"]

    refused = await house.call(bob, method, f"/api/orgs/{ann.org_id}{below.format(**named)}")
    await house.spunto.refusals.flush()

    assert refused.status_code == 403
    audit = await json_of(await house.call(ann, "GET", f"/api/orgs/{ann.org_id}/audit?outcome=refused"))
    assert [entry["targetId"] for entry in audit["items"]] == [named[about]]


async def test_what_is_nobody_s_but_one_s_own_still_needs_the_scope(house: House) -> None:
    ann = await house.person("ann")
    asking = {"name": "k", "ownerType": "user", "scopes": ["org:read"]}
    key = await json_of(await house.call(ann, "POST", f"/api/orgs/{ann.org_id}/api-keys", asking))
    ann.token = key["token"]

    # The body is not even looked at.
    problem = await problem_of(await house.call(ann, "PATCH", "/api/users/me", b"{"))

    assert (problem["status"], problem["code"]) == (403, "missing_scope")
