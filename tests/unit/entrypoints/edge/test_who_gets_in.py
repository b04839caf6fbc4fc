"""Who gets to a port, for each kind of asker and of sharing: a table of its own, held against the edge's answers."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import pytest
from tests.unit.entrypoints.edge.house import PORT, House, a_house

from spunto.core.access.api_keys import OwnerType
from spunto.core.access.policy import Role, Scope
from spunto.core.kernel.secret import Secret
from spunto.core.routes.desired import Sharing
from spunto.entrypoints.edge.seams import Answer

IN: Final = 200
TABLE: Final[Mapping[str, tuple[int, int, int]]] = {
    # asker: what each gets where the port is its owner's, the organization's, public
    "nobody": (401, 401, IN),
    "an unknown token": (401, 401, IN),
    "the owner": (IN, IN, IN),
    "the owner's key with workers:exec": (IN, IN, IN),
    "the owner's key without workers:exec": (403, 403, IN),
    "a key of the organization with workers:exec": (403, IN, IN),
    "another member": (403, IN, IN),
    "another member's key with workers:exec": (403, IN, IN),
    "an admin": (403, IN, IN),
    "somebody of another organization": (404, 404, IN),
    "a member who was removed": (404, 404, IN),
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as house:
        yield house


async def token_of(house: House, asker: str) -> Secret | None:
    harness = house.harness
    owner = await harness.spunto.access.authenticate(harness.owner_token)
    if asker == "nobody":
        return None
    if asker == "an unknown token":
        return Secret(f"sps_{'A' * 43}")
    if asker == "the owner":
        return harness.owner_token
    if asker.startswith("the owner's key"):
        scope = Scope.WORKERS_EXEC if "without" not in asker else Scope.WORKERS_WRITE
        return await harness.add_key(scope, owner=owner)
    if asker.startswith("a key of the organization"):
        return await harness.add_key(Scope.WORKERS_EXEC, owner=owner, owner_type=OwnerType.ORG)
    role = Role.ADMIN if asker == "an admin" else Role.MEMBER
    bob = await harness.add_person("bob", role=role)
    if "key" in asker:
        return await harness.add_key(Scope.WORKERS_EXEC, owner=bob.actor)
    if asker in ("somebody of another organization", "a member who was removed"):
        assert bob.actor.user_id is not None
        await harness.spunto.members.remove(harness.owner, harness.organization.id, bob.actor.user_id)
    if asker == "somebody of another organization":
        await harness.spunto.organizations.create(bob.actor, name="elsewhere")
    return bob.token


@pytest.mark.parametrize("asker", TABLE)
async def test_exactly_those_get_in_whom_the_table_names(house: House, asker: str) -> None:
    token = await token_of(house, asker)
    headers = {} if token is None else {"authorization": f"Bearer {token.reveal()}"}
    worker, got = house.worker.worker, []

    for sharing in Sharing:
        await house.harness.spunto.sharing.share(house.harness.owner, worker.org_id, None, worker.id, PORT, sharing)
        await house.settle()
        found = await house.ask(house.host(), **headers)
        got.append(int(found.status) if isinstance(found, Answer) else IN)

    assert tuple(got) == TABLE[asker]
    assert list(Sharing) == [Sharing.OWNER, Sharing.ORG, Sharing.PUBLIC]
