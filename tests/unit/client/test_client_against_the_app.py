"""The client against the real application over the memory store, without a socket between them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from tests.unit.entrypoints.http.house import LOCAL, House, build_house

from spunto.client import api
from spunto.client.activity import AuditFilter
from spunto.client.client import Health, SpuntoClient
from spunto.client.errors import (
    BadCredential,
    ChangedMeanwhile,
    InvalidRequest,
    NotAllowed,
    NotThere,
    SpuntoApiError,
    StateConflict,
)
from spunto.client.retry import NO_RETRY
from spunto.core.access.model import OrgId
from spunto.core.access.policy import Role
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.device_sign_in import DeviceSignInService


@pytest.fixture
def house() -> House:
    return build_house()


@pytest.fixture
async def ann(house: House) -> AsyncIterator[SpuntoClient]:
    async with client_of(house, (await house.person("ann")).token) as client:
        yield client


def client_of(house: House, token: str) -> SpuntoClient:
    # The two describe the same ASGI in types of their own.
    app = cast("Any", house.app)
    return SpuntoClient(LOCAL, token, retry=NO_RETRY, transport=httpx.ASGITransport(app))


async def test_an_organization_is_made_found_and_listed(ann: SpuntoClient) -> None:
    made = await ann.orgs.create("Second", slug="second")

    assert await ann.orgs.get(made.id) == made
    assert {each.slug async for each in ann.orgs.iter_orgs()} == {"ann", "second"}


async def test_what_somebody_else_changed_meanwhile_is_not_changed_or_deleted(ann: SpuntoClient) -> None:
    made = await ann.orgs.create("Second")
    seen = await ann.orgs.get(made.id)

    changed = await ann.orgs.update(made.id, name="Third", if_match=seen.etag)
    with pytest.raises(ChangedMeanwhile):
        await ann.orgs.update(made.id, name="Fourth", if_match=seen.etag)
    with pytest.raises(ChangedMeanwhile):
        await ann.orgs.delete(made.id, if_match=seen.etag)

    now = await ann.orgs.get(made.id)
    assert (seen, changed.etag, changed.name) == (made, now.etag, "Third")
    assert "etag" not in now.to_wire()
    await ann.orgs.delete(made.id, if_match=changed.etag)


async def test_the_members_of_an_organization_are_listed(house: House, ann: SpuntoClient) -> None:
    members = await ann.orgs.members(house.people["ann"].org_id)

    assert [(member.email, member.role) for member in members.items] == [("ann@example.org", "owner")]


async def test_an_organization_is_renamed_filled_left_and_deleted(house: House, ann: SpuntoClient) -> None:
    made = await ann.orgs.create("Team")
    bob = await house.person("bob", role=Role.MEMBER, org_id=OrgId(made.id))

    renamed = await ann.orgs.update(made.id, slug="other")
    promoted = await ann.orgs.change_role(made.id, bob.user_id, "owner")
    await ann.orgs.leave(made.id)

    assert (renamed.name, renamed.slug, promoted.role) == ("Team", "other", "owner")
    async with client_of(house, bob.token) as bobs:
        with pytest.raises(StateConflict, match="owner"):
            await bobs.orgs.leave(made.id)
        await bobs.orgs.delete(made.id)
        assert [each.id async for each in bobs.orgs.iter_orgs()] == []


async def test_who_is_invited_joins_by_the_link(house: House, ann: SpuntoClient) -> None:
    org_id, bob = house.people["ann"].org_id, await house.person("bob")
    taken_back = await ann.orgs.invite(org_id, "carl@example.org")
    made = await ann.orgs.invite(org_id, "bob@example.org", role="admin")

    await ann.orgs.revoke_invitation(org_id, taken_back.id)

    link = made.url.get_secret_value()
    assert link.startswith(f"{LOCAL}/invites/")
    assert link not in repr(made)
    assert [(each.email, each.role) async for each in ann.orgs.iter_invitations(org_id)] == [
        ("bob@example.org", "admin")
    ]
    async with client_of(house, bob.token) as bobs:
        joined = await bobs.orgs.accept_invitation(link.rpartition("/")[2])
    assert (joined.id, joined.role) == (org_id, "admin")
    assert (await ann.orgs.invitations(org_id)).items == ()


async def test_a_key_is_made_used_listed_and_revoked(house: House, ann: SpuntoClient) -> None:
    org_id = house.people["ann"].org_id
    made = await ann.api_keys.create(org_id, "CI", ["org:read"], owner_type="org", expires_at="never")
    ends_at = house.clock.now() + timedelta(days=1)
    other = await ann.api_keys.create(org_id, "CD", ["nodes:read", "org:read"], expires_at=ends_at)

    async with client_of(house, made.token.get_secret_value()) as key:
        identity = await key.identity()
        with pytest.raises(NotAllowed) as caught:
            await key.nodes.list(org_id)

    assert (identity.api_key_id, identity.scopes, identity.expires_at) == (made.id, ("org:read",), None)
    assert [(each.id, each.role) for each in identity.organizations] == [(org_id, "admin")]
    assert caught.value.problem.to_wire()["requiredScopes"] == ["nodes:read"]
    assert [(each.id, each.expires_at) async for each in ann.api_keys.iter_keys(org_id)] == [
        (other.id, ends_at),
        (made.id, None),
    ]
    await ann.api_keys.revoke(org_id, made.id)
    async with client_of(house, made.token.get_secret_value()) as key:
        with pytest.raises(BadCredential):
            await key.identity()


async def test_a_webhook_lives_and_its_deliveries_are_seen(house: House, ann: SpuntoClient) -> None:
    org_id, url = house.people["ann"].org_id, "https://hooks.example.org/"
    made = await ann.webhooks.create(org_id, url, events=["worker.spawned"])

    changed = await ann.webhooks.update(org_id, made.id, {"events": None, "description": "CI"})
    rotated = await ann.webhooks.rotate_secret(org_id, made.id)
    sent = await ann.webhooks.test(org_id, made.id)
    again = await ann.webhooks.redeliver(org_id, made.id, sent.id)

    assert (made.events, changed.events, changed.description) == (("worker.spawned",), None, "CI")
    assert made.secret.get_secret_value().startswith("whsec_")
    assert made.secret != rotated.secret
    assert made.secret.get_secret_value() not in repr(made)
    assert [each.id async for each in ann.webhooks.iter_webhooks(org_id)] == [made.id]
    assert (await ann.webhooks.list(org_id)).items == (await ann.webhooks.get(org_id, made.id),)
    assert (sent.type, sent.status, again) == ("webhook.ping", "pending", sent)
    assert (await ann.webhooks.deliveries(org_id, made.id)).items == (sent,)
    assert (await ann.webhooks.deliveries(org_id, made.id, status="failed")).items == ()
    assert await ann.webhooks.delivery(org_id, made.id, sent.id) == sent
    await ann.webhooks.delete(org_id, made.id)
    with pytest.raises(NotThere, match="webhook"):
        await ann.webhooks.get(org_id, made.id)


async def test_a_project_lives_through_versions(house: House, ann: SpuntoClient) -> None:
    org_id = house.people["ann"].org_id
    made = await ann.projects.create(org_id, "web", "debian:12", env={"A": "1", "B": "2"}, cpus=0.5, memory_bytes=2**28)

    changed = await ann.projects.update(org_id, made.id, {"env": {"A": None}, "postStartCommand": "true"})
    restored = await ann.projects.restore(org_id, made.id, 1)
    versions = [version async for version in ann.projects.iter_versions(org_id, made.id)]

    assert (changed.version, changed.env, changed.post_start_command) == (2, {"B": "2"}, "true")
    assert (restored.version, restored.env, restored.post_start_command) == (3, {"A": "1", "B": "2"}, None)
    assert [(version.version, version.restored_from) for version in versions] == [(3, 1), (2, None), (1, None)]
    await ann.projects.delete(org_id, made.id)
    with pytest.raises(NotThere, match="project"):
        await ann.projects.get(org_id, made.id)


async def test_an_iterator_goes_over_all_pages(
    monkeypatch: pytest.MonkeyPatch, house: House, ann: SpuntoClient
) -> None:
    monkeypatch.setattr(api, "LARGEST_PAGE", 2)
    org_id = house.people["ann"].org_id
    names = {f"p{number}" for number in range(5)}
    for name in sorted(names):
        await ann.projects.create(org_id, name, "debian:12")

    first = await ann.projects.list(org_id, limit=2)
    second = await ann.projects.list(org_id, limit=2, cursor=first.next_cursor)

    assert [each.name for each in (*first.items, *second.items)] == ["p4", "p3", "p2", "p1"]
    assert {each.name async for each in ann.projects.iter_projects(org_id)} == names


async def test_the_same_idempotency_key_makes_one_project(house: House, ann: SpuntoClient) -> None:
    org_id = house.people["ann"].org_id

    first = await ann.projects.create(org_id, "web", "debian:12", idempotency_key="k")
    second = await ann.projects.create(org_id, "web", "debian:12", idempotency_key="k")

    assert first == second


async def test_requests_of_their_own_have_keys_of_their_own(house: House, ann: SpuntoClient) -> None:
    org_id = house.people["ann"].org_id
    await ann.projects.create(org_id, "web", "debian:12")

    with pytest.raises(StateConflict) as refusal:
        await ann.projects.create(org_id, "web", "debian:12")

    assert refusal.value.code == "project_name_taken"


async def test_an_invalid_field_is_named(house: House, ann: SpuntoClient) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await ann.projects.create(house.people["ann"].org_id, "web", "debian:12", cpus=-1)

    assert (refusal.value.status, [each.pointer for each in refusal.value.errors]) == (422, ["/cpus"])
    assert refusal.value.request_id


async def test_a_bad_token_is_refused(house: House) -> None:
    async with client_of(house, "nonsense") as stranger:
        with pytest.raises(BadCredential):
            await stranger.orgs.list()


async def test_health_says_why_a_server_is_not_ready() -> None:
    async def obstacle() -> str:
        return "The database is away."

    async with client_of(build_house(readiness=obstacle), "") as anybody:
        health = await anybody.health()

    assert health == Health(is_alive=True, is_ready=False, reason="The database is away.")


async def test_a_terminal_waits_until_somebody_approves_it(house: House) -> None:
    ann = await house.person("ann")
    devices = DeviceSignInService(
        house.store, auditor=Auditor(clock=house.clock, ids=house.ids), clock=house.clock, ids=house.ids
    )

    async def approve_at_the_third_look(seconds: float) -> None:
        house.clock.advance(seconds)
        if house.clock.monotonic() == 15:
            await devices.approve(await house.access.authenticate(Secret(ann.token)), begun.user_code)

    async with terminal_of(house, approve_at_the_third_look) as terminal:
        begun = await terminal.auth.begin_device("spunto on laptop")
        signed_in = await terminal.auth.wait_for_device(begun)

    async with client_of(house, signed_in.token.get_secret_value()) as client:
        assert (await client.users.me()).id == ann.user_id
        await client.auth.sign_out()
        with pytest.raises(BadCredential):
            await client.users.me()


async def test_a_terminal_that_looks_too_soon_slows_down_and_gives_up_in_time(house: House) -> None:
    slept: list[float] = []

    async def hurry(seconds: float) -> None:
        slept.append(seconds)
        house.clock.advance(601 if len(slept) == 3 else 1)

    async with terminal_of(house, hurry) as terminal:
        begun = await terminal.auth.begin_device("spunto on laptop")
        with pytest.raises(SpuntoApiError) as caught:
            await terminal.auth.wait_for_device(begun)

    assert (caught.value.code, slept) == ("expired_token", [5, 5, 10])
    assert begun.device_code.get_secret_value() not in repr(begun)


class Sleeper:
    """The house's time, in which somebody does something while others sleep."""

    def __init__(self, clock: ManualClock, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.now, self.monotonic, self.call_later, self.sleep = clock.now, clock.monotonic, clock.call_later, sleep


def terminal_of(house: House, sleep: Callable[[float], Awaitable[None]]) -> SpuntoClient:
    """A client without a token."""
    app = cast("Any", house.app)
    return SpuntoClient(
        LOCAL, "", retry=NO_RETRY, clock=cast("Any", Sleeper(house.clock, sleep)), transport=httpx.ASGITransport(app)
    )


async def test_the_audit_log_is_filtered_paged_and_exported(
    monkeypatch: pytest.MonkeyPatch, house: House, ann: SpuntoClient
) -> None:
    monkeypatch.setattr(api, "LARGEST_PAGE", 2)
    org_id = house.people["ann"].org_id
    for name in ("p1", "p2", "p3"):
        await ann.projects.create(org_id, name, "debian:12")
    await ann.nodes.create(org_id, "one")
    created = AuditFilter(action="project.create", actor=house.people["ann"].user_id)

    page = await ann.activity.audit(org_id, created, limit=1)
    everything = [entry async for entry in ann.activity.iter_audit(org_id, created)]
    exported = [entry async for entry in ann.activity.export_audit(org_id, created)]

    assert {(entry.action, entry.outcome) for entry in everything} == {("project.create", "allowed")}
    assert (len(everything), exported) == (3, everything)
    assert page.items == (everything[0],)
    later = AuditFilter(since=house.clock.now() + timedelta(seconds=1))
    assert (await ann.activity.audit(org_id, later)).items == ()


async def test_an_export_that_is_refused_says_why(house: House) -> None:
    ann = await house.person("ann")
    bob = await house.person("bob", role=Role.MEMBER, org_id=ann.org_id)

    async with client_of(house, bob.token) as bobs:
        with pytest.raises(NotAllowed, match="role"):
            [entry async for entry in bobs.activity.export_audit(ann.org_id)]


async def test_nodes_and_projects_are_found_by_what_they_are_marked_with(house: House, ann: SpuntoClient) -> None:
    org_id = house.people["ann"].org_id
    node = (await ann.nodes.create(org_id, "one", tags=["ci"], metadata={"rack": 7})).node
    project = await ann.projects.create(org_id, "web", "debian:12", tags=["ci"], metadata={"pr": 7})
    await ann.nodes.create(org_id, "two")
    await ann.projects.create(org_id, "api", "debian:12")

    nodes = await ann.nodes.list(org_id, status="provisioning", name="one", tag="ci", sort="createdAt")
    projects = await ann.projects.list(org_id, name="web", tag="ci", sort="createdAt")

    assert (nodes.items, projects.items) == ((node,), (project,))
    assert [each async for each in ann.nodes.iter_nodes(org_id, tag="ci")] == [node]
    assert [each async for each in ann.projects.iter_projects(org_id, tag="ci")] == [project]
    assert (await ann.nodes.update(org_id, node.id, tags=[], metadata={})).tags == ()
    assert (await ann.projects.update(org_id, project.id, {"tags": ["a"], "metadata": None})).tags == ("a",)


async def test_a_node_is_changed_given_up_and_deleted(house: House, ann: SpuntoClient) -> None:
    org_id = house.people["ann"].org_id
    one, two = [(await ann.nodes.create(org_id, name)).node for name in ("one", "two")]

    changed = await ann.nodes.update(org_id, one.id, labels={"disk": "ssd"}, limits={"cpus": 2})
    gone = await ann.nodes.delete(org_id, one.id)
    await ann.nodes.abandon(org_id, two.id)

    assert (changed.name, changed.labels, changed.limits.cpus, gone) == ("one", {"disk": "ssd"}, 2.0, None)
    assert (await ann.nodes.list(org_id)).items == ()
