"""The two tables of the code say what was decided by hand, row by row; the matrix then proves that they are obeyed."""

import pytest
from tests.unit.authorization.decisions import BY_A_CREDENTIAL_OF_ITS_OWN, MEMBER, OPEN, RULES

from spunto.core.access.policy import POLICY, Action, Scope
from spunto.entrypoints.serving.endpoints import HTTP, OWN_CREDENTIAL, PUBLIC, WEBSOCKETS

TABLE = {**HTTP, **WEBSOCKETS}
# `*` is a scope only a session or a key for everything has; where only a sign-in will do, no scope helps.
DECIDED = {endpoint: rule for endpoint, rule in RULES.items() if endpoint in TABLE}


@pytest.mark.parametrize("endpoint", DECIDED)
def test_an_endpoint_asks_for_what_was_decided(endpoint: str) -> None:
    decided, action = DECIDED[endpoint], TABLE[endpoint]

    assert isinstance(action, Action)
    rule = POLICY[action]
    assert rule.role.value == (decided.role or MEMBER)
    assert rule.session_only is (decided.scopes is None)
    if decided.scopes is not None:
        held = {scope for scope in Scope if any(scope.covers(needed) for needed in rule.scopes)}
        wanted = {scope for scope in Scope if scope is Scope.ALL or is_covered(scope, decided.scopes)}
        assert held == wanted


def is_covered(held: Scope, decided: frozenset[str]) -> bool:
    resource, verb = held.value.split(":")
    return held.value in decided or (verb in ("write", "exec") and f"{resource}:read" in decided)


def test_what_is_open_is_what_was_decided_to_be() -> None:
    assert {endpoint for endpoint, access in TABLE.items() if access == PUBLIC} == OPEN
    assert {endpoint for endpoint, access in TABLE.items() if access == OWN_CREDENTIAL} == BY_A_CREDENTIAL_OF_ITS_OWN
