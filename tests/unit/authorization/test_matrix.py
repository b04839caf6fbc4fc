"""Every endpoint and socket, for everybody, on own, others', foreign, missing, deleted and malformed things."""

import re

import pytest
from tests.unit.authorization.decisions import BY_A_CREDENTIAL_OF_ITS_OWN, OPEN, RULES
from tests.unit.authorization.furnishing import open_world
from tests.unit.authorization.matrix import visit_all

from spunto.entrypoints.serving.endpoints import HTTP, WEBSOCKETS

FAMILIES = {
    "people of X": r"(owner|admin|member|other member) of X",
    "people of Y": r"(owner|admin|member|other member) of Y",
    "strangers": r"user of no|removed member",
    "bad credentials": r"anonymous|garbage|another scheme|session that|typing mistake",
    "machines and dead keys": r"node of|(revoked|expired) key|key of a removed",
    "a member's keys": r"member's key for",
    "the organization's keys": r"organization's key for|owner's key",
}


def described() -> set[str]:
    return {endpoint.partition("?")[0] for endpoint in RULES} | OPEN | BY_A_CREDENTIAL_OF_ITS_OWN


def test_every_endpoint_has_been_decided_on_by_hand() -> None:
    assert (set(HTTP) | set(WEBSOCKETS)) - described() == set()


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
async def test_everybody_gets_what_was_decided_and_nothing_else(family: str) -> None:
    async with open_world() as world:
        principals = [each for each in world.principals.values() if re.search(FAMILIES[family], each.name)]

        found = await visit_all(world, principals)

    assert principals
    assert found.visits > 100
    assert not found.wrong, "\n".join(found.wrong)


async def test_a_visit_in_ten_gets_what_was_decided() -> None:
    """For those who leave the long ones out."""
    async with open_world() as world:
        found = await visit_all(world, world.principals.values(), one_of=10)

    assert found.visits > 1000
    assert not found.wrong, "\n".join(found.wrong)


async def test_everybody_comes() -> None:
    async with open_world() as world:
        named = set(world.principals)

    assert len(named) >= 19
    assert {name for name in named if not any(re.search(family, name) for family in FAMILIES.values())} == set()
