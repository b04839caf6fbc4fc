from dataclasses import replace

from tests.unit.core.builders import NODE, NOW, ORG, USER, WORKER, later

from spunto.core.routes.desired import RouteState, Sharing, keys_of, secrets_of
from spunto.core.routes.model import Route, Standing

COMING = Standing(state=RouteState.COMING, reason="spawning", node_id=NODE)
UP = replace(COMING, state=RouteState.UP, reason="ready")
ROUTE = Route(id=WORKER, org_id=ORG, owner_id=USER, index=1, standing=COMING, changed_at=NOW)


def test_what_edges_are_told_counts_up() -> None:
    assert ROUTE.standing_as(UP, at=later(1)) == replace(ROUTE, standing=UP, generation=2, changed_at=later(1))


def test_nothing_new_is_no_generation() -> None:
    assert ROUTE.standing_as(COMING, at=later(1)) is ROUTE
    assert ROUTE.sharing_as(3000, Sharing.OWNER, at=later(1)) is ROUTE


def test_a_port_is_shared_and_taken_back() -> None:
    shared = ROUTE.sharing_as(3000, Sharing.PUBLIC, at=later(1)).sharing_as(4000, Sharing.ORG, at=later(2))

    assert shared.sharing == {3000: Sharing.PUBLIC, 4000: Sharing.ORG}
    assert shared.sharing_as(3000, Sharing.OWNER, at=later(3)) == replace(
        ROUTE, sharing={4000: Sharing.ORG}, generation=4, changed_at=later(3)
    )


def test_keys_travel_in_their_order() -> None:
    keys = tuple(bytes([number]) for number in range(12))

    assert keys_of(secrets_of(keys)) == keys
