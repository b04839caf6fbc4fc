"""Builds the world: two organizations with one of each thing, live and deleted, people, keys and strangers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from tests.unit.authorization.vaults import MemoryVault, Vault
from tests.unit.authorization.world import SCOPES, Home, Thing, World
from tests.unit.core.protocol.messages import a_hello
from tests.unit.entrypoints.http.house import House, Person, build_house

from spunto.core.access.model import OrgId, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.secret import Secret
from spunto.core.protocol.codec import decode, encode
from spunto.core.protocol.messages import Open, Reset, Welcome
from spunto.core.protocol.pipe import MemoryTransport, memory_transport_pair
from spunto.core.protocol.transport import TransportClosed
from spunto.core.routes.entry import LinkId, PortLink


@asynccontextmanager
async def open_world(house: House | None = None, vault: Vault | None = None) -> AsyncIterator[World]:
    """In memory where no house is given; a house of another store comes with its vault."""
    house = house or build_house()
    world = World(house, vault or MemoryVault(house))
    async with asyncio.TaskGroup() as group:
        agents: list[asyncio.Task[None]] = []
        for label in ("X", "Y"):
            await _furnish(world, label, group, agents)
        await _strangers(world)
        await _machines(world)
        await world.keep()
        try:
            yield world
        finally:
            for agent in agents:
                agent.cancel()


async def _furnish(world: World, label: str, group: asyncio.TaskGroup, agents: list[asyncio.Task[None]]) -> None:
    """An organization with people of every role, and one of each thing, live and deleted."""
    house, mark = world.house, f"orgmark-{label.lower()}"
    owner = await house.person(f"{mark}-owner")
    people = {"owner": owner}
    for name, role in (("admin", Role.ADMIN), ("member", Role.MEMBER), ("other member", Role.MEMBER)):
        people[name] = await house.person(f"{mark}-{name.replace(' ', '-')}", role=role, org_id=owner.org_id)
    home = world.homes[label] = Home(
        org_id=owner.org_id, mark=mark, ids={"orgId": owner.org_id, "number": "1", "port": "3000", "session": "0" * 32}
    )
    org = f"/api/orgs/{owner.org_id}"
    for name, person in people.items():
        roles = {owner.org_id: name.rpartition(" ")[2]}
        world.add(f"{name} of {label}", person.bearer, label, roles=roles, user_id=person.user_id)
        world.things[owner.org_id, person.user_id] = Thing(
            org_id=owner.org_id, owner=person.user_id, is_an_owner=name == "owner"
        )
    home.ids["userId"] = people["other member"].user_id

    made = await world.do(owner.bearer, "POST", f"{org}/nodes", {"name": f"{mark}-node"})
    home.ids["nodeId"] = made["node"]["id"]
    world.things[owner.org_id, made["node"]["id"]] = Thing(org_id=owner.org_id)
    agents += await _connect(world, made["token"], group)
    gone = await world.do(owner.bearer, "POST", f"{org}/nodes", {"name": f"{mark}-gone"})
    await world.do(owner.bearer, "DELETE", f"{org}/nodes/{gone['node']['id']}")
    home.deleted["nodeId"] = gone["node"]["id"]
    world.add(f"node of {label}", {"Authorization": f"Bearer {made['token']}"}, label, is_good=False)

    for name in ("project", "sibling", "gone"):
        body = {"name": f"{mark}-{name}", "image": "image:1", "env": {"MARK": mark}, "cpus": 0.1, "memoryBytes": 2**26}
        project = await world.do(owner.bearer, "POST", f"{org}/projects", body)
        home.ids.setdefault("projectId", project["id"])
        home.deleted["projectId"] = project["id"]
        if name != "gone":
            world.things[owner.org_id, project["id"]] = Thing(org_id=owner.org_id, owner=owner.user_id)
    sibling = next(i for (_, i) in reversed(world.things) if i.startswith("prj_"))
    home.deleted["sibling"] = sibling
    await world.do(owner.bearer, "DELETE", f"{org}/projects/{home.deleted['projectId']}")

    for name, person in people.items():
        await _add_worker(world, home, f"{name} of {label}", person.bearer, person.user_id)
        await _add_own_things(world, home, person)
    home.ids["workerId"] = home.workers_of[f"other member of {label}"]
    home.ids["linkId"] = home.workers_of[f"link of {home.ids['workerId']}"]
    await _delete_a_worker(world, home, owner)
    await _keys(world, label, home, people)
    await _invite(world, home, owner)
    await _add_webhooks(world, home, owner)
    await _add_secrets(world, home, owner)


async def _connect(world: World, token: str, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
    """An agent that says hello, notes what it is told, and gives every stream up at once."""
    ours, theirs = memory_transport_pair()
    serving = group.create_task(world.house.spunto.gateway.serve(theirs, Secret(token)))
    await ours.send(encode(a_hello()))
    welcomed = asyncio.Event()
    listening = group.create_task(_listen(world, ours, welcomed))
    await welcomed.wait()
    return [serving, listening]


async def _listen(world: World, ours: MemoryTransport, welcomed: asyncio.Event) -> None:
    try:
        while True:
            message = decode(await ours.receive())
            world.frames.append(type(message).__name__)
            if isinstance(message, Welcome):
                welcomed.set()
            elif isinstance(message, Open):
                await ours.send(encode(Reset(stream=message.stream, code="engine_unavailable")))
    except TransportClosed:
        return


async def _add_worker(world: World, home: Home, who: str, bearer: Mapping[str, str], owner: str) -> None:
    project = home.ids["projectId"]
    path = f"/api/orgs/{home.org_id}/projects/{project}/workers"
    worker = await world.do(bearer, "POST", path, {"name": f"{home.mark}-{who.replace(' ', '-').lower()}"})
    home.workers_of[who] = worker["id"]
    world.things[home.org_id, worker["id"]] = Thing(org_id=home.org_id, owner=owner, inside=project)
    await _add_link(world, home, worker["id"], owner)


async def _add_link(world: World, home: Home, worker_id: str, owner: str) -> None:
    """One to each worker, as somebody with an account has made it: keys make none."""
    house = world.house
    made_by = UserId(home.ids["userId"])
    link = PortLink(
        id=LinkId(house.ids.new("lnk")),
        org_id=OrgId(home.org_id),
        subject_id=worker_id,
        port=int(home.ids["port"]),
        token_hash=worker_id.encode(),
        made_by=made_by,
        created_at=house.clock.now(),
        expires_at=house.clock.now() + timedelta(days=1),
    )
    async with house.store() as tx:
        await tx.links.add(link)
        await tx.commit()
    home.workers_of[f"link of {worker_id}"] = link.id
    world.things[home.org_id, link.id] = Thing(org_id=home.org_id, owner=owner, inside=worker_id)


async def _add_own_things(world: World, home: Home, person: Person) -> None:
    secret = await world.do(person.bearer, "POST", "/api/users/me/secrets", {"name": "MARK", "value": home.mark})
    world.things[None, secret["id"]] = Thing(org_id=None, owner=person.user_id)
    home.workers_of[f"secret of {person.user_id}"] = secret["id"]


async def _add_secrets(world: World, home: Home, owner: Person) -> None:
    path = f"/api/orgs/{home.org_id}/secrets"
    for name in ("GONE", "MARK"):
        secret = await world.do(owner.bearer, "POST", path, {"name": name, "value": home.mark, "projects": "all"})
        home.ids["orgSecretId"] = secret["id"]
        if name == "GONE":
            home.deleted["orgSecretId"] = secret["id"]
            await world.do(owner.bearer, "DELETE", f"{path}/{secret['id']}")
    world.things[home.org_id, home.ids["orgSecretId"]] = Thing(org_id=home.org_id)


async def _delete_a_worker(world: World, home: Home, owner: Person) -> None:
    await _add_worker(world, home, "gone", owner.bearer, owner.user_id)
    gone = home.workers_of.pop("gone")
    del world.things[home.org_id, gone]
    async with world.house.store() as tx:
        worker = await tx.workers.find(gone)
        assert worker is not None
        await tx.workers.remove(worker)
        await tx.commit()
    home.deleted["workerId"] = gone


async def _keys(world: World, label: str, home: Home, people: Mapping[str, Person]) -> None:
    org, by = f"/api/orgs/{home.org_id}/api-keys", {}

    async def make(person: Person, owner_type: str, *scopes: str, **more: Any) -> tuple[str, dict[str, str]]:
        body = {"name": f"{home.mark}-key", "ownerType": owner_type, "scopes": list(scopes), **more}
        key = await world.do(person.bearer, "POST", org, body)
        owner = person.user_id if owner_type == "user" else None
        world.things[home.org_id, key["id"]] = Thing(org_id=home.org_id, owner=owner)
        return key["id"], {"Authorization": f"Bearer {key['token']}"}

    member, owner = people["member"], people["owner"]
    for scope in SCOPES if label == "X" else ("*",):
        key_id, headers = await make(member, "user", scope)
        asked = {"scopes": frozenset({scope}), "roles": {home.org_id: "member"}, "user_id": member.user_id}
        world.add(f"member's key for {scope} of {label}", headers, label, key_id=key_id, **asked)
        by["keyId"] = key_id
        key_id, headers = await make(owner, "org", scope)
        asked = {"scopes": frozenset({scope}), "roles": {home.org_id: "admin"}}
        world.add(f"organization's key for {scope} of {label}", headers, label, key_id=key_id, **asked)
    all_of_it = {"scopes": frozenset({"*"}), "roles": {home.org_id: "owner"}, "user_id": owner.user_id}
    key_id, headers = await make(owner, "user", "*")
    world.add(f"owner's key of {label}", headers, label, key_id=key_id, **all_of_it)
    home.ids["keyId"] = by["keyId"]
    revoked, headers = await make(owner, "user", "*")
    await world.do(owner.bearer, "DELETE", f"{org}/{revoked}")
    del world.things[home.org_id, revoked]
    home.deleted["keyId"] = revoked
    world.add(f"revoked key of {label}", headers, label, is_good=False)
    if label == "X":
        _, headers = await make(owner, "user", "*", expiresAt=world.house.clock.now().isoformat()[:10] + "T00:00:01Z")
        world.add("expired key of X", headers, label, is_good=False)
        typo = headers["Authorization"][:-1] + ("0" if headers["Authorization"][-1] != "0" else "1")
        world.add("key with a typing mistake", {"Authorization": typo}, label, is_good=False)


async def _invite(world: World, home: Home, owner: Person) -> None:
    org = f"/api/orgs/{home.org_id}/invites"
    for name in ("ids", "deleted"):
        body = {"email": f"{home.mark}-{name}@example.org", "role": "member"}
        invitation = await world.do(owner.bearer, "POST", org, body)
        getattr(home, name)["invitationId"] = invitation["id"]
    await world.do(owner.bearer, "DELETE", f"{org}/{home.deleted['invitationId']}")
    world.things[home.org_id, home.ids["invitationId"]] = Thing(org_id=home.org_id)


async def _add_webhooks(world: World, home: Home, owner: Person) -> None:
    """Two with a delivery each, of which the second is deleted."""
    org = f"/api/orgs/{home.org_id}/webhooks"
    for ids in (home.ids, home.deleted):
        body = {"url": f"https://{home.mark}.example.org/", "description": home.mark}
        webhook = await world.do(owner.bearer, "POST", org, body)
        delivery = await world.do(owner.bearer, "POST", f"{org}/{webhook['id']}/test")
        ids |= {"webhookId": webhook["id"], "deliveryId": delivery["id"]}
    await world.do(owner.bearer, "DELETE", f"{org}/{home.deleted['webhookId']}")
    world.things[home.org_id, home.ids["webhookId"]] = Thing(org_id=home.org_id)
    world.things[home.org_id, home.ids["deliveryId"]] = Thing(org_id=home.org_id, inside=home.ids["webhookId"])


async def _strangers(world: World) -> None:
    """Those who belong nowhere, or not any more."""
    house, home = world.house, world.homes["X"]
    owner = world.principals["owner of X"]
    house_owner = await house.person("nobody-s-own")
    world.add("user of no organization", house_owner.bearer, "X", user_id=house_owner.user_id)
    await world.do(house_owner.bearer, "DELETE", f"/api/orgs/{house_owner.org_id}")
    for each in world.homes.values():
        each.deleted["orgId"] = house_owner.org_id
    removed = await house.person("removed", org_id=OrgId(home.org_id))
    key = await world.do(
        removed.bearer, "POST", f"/api/orgs/{home.org_id}/api-keys", {"name": "k", "ownerType": "user", "scopes": ["*"]}
    )
    await world.do(owner.headers, "DELETE", f"/api/orgs/{home.org_id}/members/{removed.user_id}")
    for each in world.homes.values():
        each.deleted["userId"] = removed.user_id
    world.add("removed member", removed.bearer, "X", user_id=removed.user_id)
    world.add("key of a removed member", {"Authorization": f"Bearer {key['token']}"}, "X", is_good=False)


async def _machines(world: World) -> None:
    """Credentials that are none, or none any more."""
    house = world.house
    owner = house.people["orgmark-x-owner"]
    world.add("anonymous", {}, "X", is_good=False)
    world.add("garbage", {"Authorization": f"Bearer sps_{'A' * 43}"}, "X", is_good=False)
    world.add("another scheme", {"Authorization": "Basic eDp5"}, "X", is_good=False)
    ended = await house.access.open_session(owner.user_id)
    headers = {"Authorization": f"Bearer {ended.token.reveal()}"}
    await world.do(headers, "POST", "/api/auth/logout")
    world.add("session that was signed out", headers, "X", is_good=False)
    short = await house.access.open_session(owner.user_id, lifetime=timedelta(seconds=1))
    house.clock.advance(2)
    world.add("session that has expired", {"Authorization": f"Bearer {short.token.reveal()}"}, "X", is_good=False)
