from dataclasses import replace

from tests.unit.core.builders import NODE, ORG, USER, WORKER

from spunto.core.routes.desired import RouteState, Sharing
from spunto.core.routes.model import Route

ROUTE = Route(subject_id=WORKER, org_id=ORG, owner_id=USER, node_id=NODE, index=1, state=RouteState.COMING)


def test_what_edges_are_told_counts_up() -> None:
    up = ROUTE.now(state=RouteState.UP, reason="", node_id=NODE)

    assert up == replace(ROUTE, state=RouteState.UP, generation=2)


def test_nothing_new_is_no_generation() -> None:
    assert ROUTE.now(state=RouteState.COMING, reason="", node_id=NODE) is ROUTE
    assert ROUTE.shared(3000, Sharing.OWNER) is ROUTE


def test_a_port_is_shared_and_taken_back() -> None:
    shared = ROUTE.shared(3000, Sharing.PUBLIC).shared(4000, Sharing.ORG)

    assert shared.sharing == {3000: Sharing.PUBLIC, 4000: Sharing.ORG}
    assert shared.shared(3000, Sharing.OWNER) == replace(ROUTE, sharing={4000: Sharing.ORG}, generation=4)
