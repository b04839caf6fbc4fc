"""The table of permissions, and that nobody gets more than it says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import ORG, OTHER_ORG, OTHER_USER, USER, an_actor

from spunto.core.access.model import ActorKind, ApiKeyId
from spunto.core.access.policy import POLICY, Action, Role, Scope
from spunto.core.kernel.errors import Forbidden, NotFound, SpuntoError

roles = st.sampled_from(Role)
scopes = st.frozensets(st.sampled_from(Scope))
actions = st.sampled_from(Action)


def test_every_action_has_a_rule() -> None:
    assert set(POLICY) == set(Action)


def test_a_role_includes_itself_and_those_below() -> None:
    assert {role: {other for other in Role if role.includes(other)} for role in Role} == {
        Role.OWNER: {Role.OWNER, Role.ADMIN, Role.MEMBER},
        Role.ADMIN: {Role.ADMIN, Role.MEMBER},
        Role.MEMBER: {Role.MEMBER},
    }


@pytest.mark.parametrize(
    "action", [action for action in Action if action.value.partition(".")[2] not in ("read", "list")]
)
def test_what_writes_needs_more_than_a_reading_scope(action: Action) -> None:
    assert not any(scope.value.endswith(":read") for scope in POLICY[action].scopes)


def test_what_needs_a_session_names_no_scope_that_reads() -> None:
    named = {scope for rule in POLICY.values() if rule.session_only for scope in rule.scopes}

    assert not {scope for scope in named if scope.value.endswith(":read")}


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        (Scope.ALL, Scope.NODES_WRITE),
        (Scope.WORKERS_READ, Scope.WORKERS_READ),
        (Scope.WORKERS_WRITE, Scope.WORKERS_READ),
        (Scope.WORKERS_EXEC, Scope.WORKERS_READ),
    ],
)
def test_a_scope_covers_itself_and_the_reading_of_its_resource(held: Scope, needed: Scope) -> None:
    assert held.covers(needed)


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        (Scope.WORKERS_READ, Scope.WORKERS_WRITE),
        (Scope.WORKERS_WRITE, Scope.WORKERS_EXEC),
        (Scope.WORKERS_EXEC, Scope.WORKERS_WRITE),
        (Scope.PROJECTS_WRITE, Scope.WORKERS_READ),
        (Scope.WORKERS_WRITE, Scope.ALL),
        (Scope.ORG_READ, Scope.ALL),
    ],
)
def test_a_scope_covers_nothing_else(held: Scope, needed: Scope) -> None:
    assert not held.covers(needed)


def allows(scopes: frozenset[Scope] | None, role: Role, action: Action) -> bool:
    try:
        an_actor(role=role, scopes=scopes).require(action, org_id=ORG)
    except SpuntoError:
        return False
    return True


@given(scopes, roles, actions)
def test_a_key_never_grants_more_than_its_owner(held: frozenset[Scope], role: Role, action: Action) -> None:
    assert not allows(held, role, action) or allows(None, role, action)


@given(scopes, st.sampled_from(Scope), roles, actions)
def test_another_scope_never_takes_a_permission_away(
    held: frozenset[Scope], more: Scope, role: Role, action: Action
) -> None:
    assert not allows(held, role, action) or allows(held | {more}, role, action)


@given(scopes | st.none(), roles, roles, actions)
def test_a_higher_role_may_do_all_that_a_lower_one_may(
    held: frozenset[Scope] | None, role: Role, higher: Role, action: Action
) -> None:
    if higher.includes(role):
        assert not allows(held, role, action) or allows(held, higher, action)


@given(scopes, actions)
def test_what_needs_a_session_is_closed_to_every_key(held: frozenset[Scope], action: Action) -> None:
    assert not (POLICY[action].session_only and allows(held, Role.OWNER, action))


def test_a_proof_names_organization_role_and_actor() -> None:
    actor = an_actor(role=Role.MEMBER)

    tenant = actor.require(Action.WORKER_SPAWN, org_id=ORG)

    assert (tenant.org_id, tenant.role, tenant.actor) == (ORG, Role.MEMBER, actor)


@pytest.mark.parametrize("action", Action)
def test_a_foreign_organization_is_not_there_whatever_the_credential(action: Action) -> None:
    for scopes_held in (None, frozenset[Scope](), frozenset({Scope.ALL})):
        with pytest.raises(NotFound) as caught:
            an_actor(role=Role.OWNER, scopes=scopes_held).require(action, org_id=OTHER_ORG)

        assert caught.value.code == "organization_not_found"


def test_a_missing_scope_is_named() -> None:
    with pytest.raises(Forbidden) as caught:
        an_actor(scopes=frozenset({Scope.WORKERS_READ})).require(Action.WORKER_ENTER, org_id=ORG)

    assert caught.value.code == "missing_scope"
    assert caught.value.fields == {"requiredScopes": ["workers:exec"]}


def test_a_missing_role_is_named() -> None:
    with pytest.raises(Forbidden) as caught:
        an_actor(role=Role.MEMBER).require(Action.NODE_CREATE, org_id=ORG)

    assert caught.value.code == "role_required"
    assert caught.value.fields == {"requiredRole": "admin"}


def test_members_own_what_is_theirs_and_admins_may_act_on_all() -> None:
    member = an_actor(role=Role.MEMBER).require(Action.WORKER_STOP, org_id=ORG)
    admin = an_actor(role=Role.ADMIN).require(Action.WORKER_STOP, org_id=ORG)

    member.require_own_or_admin(user_id=USER, api_key_id=None)
    admin.require_own_or_admin(user_id=OTHER_USER, api_key_id=None)
    with pytest.raises(Forbidden, match="Only its owner"):
        member.require_own_or_admin(user_id=OTHER_USER, api_key_id=None)
    with pytest.raises(Forbidden, match="Only its owner"):
        admin.require_own(user_id=OTHER_USER, api_key_id=None)


def test_admins_enter_what_a_key_of_the_organization_owns_and_nobody_else_s() -> None:
    member = an_actor(role=Role.MEMBER).require(Action.WORKER_ENTER, org_id=ORG)
    admin = an_actor(role=Role.ADMIN).require(Action.WORKER_ENTER, org_id=ORG)

    member.require_entry(user_id=USER, api_key_id=None)
    admin.require_entry(user_id=None, api_key_id=ApiKeyId("key_1"))
    with pytest.raises(Forbidden, match="Only its owner"):
        member.require_entry(user_id=None, api_key_id=ApiKeyId("key_1"))
    with pytest.raises(Forbidden, match="Only its owner"):
        admin.require_entry(user_id=OTHER_USER, api_key_id=None)


def test_a_key_of_the_organization_owns_its_own_and_nothing_without_an_owner() -> None:
    key = replace(
        an_actor(kind=ActorKind.API_KEY, role=Role.MEMBER), user_id=None, api_key_id=ApiKeyId("key_1"), scopes=None
    )
    tenant = key.require(Action.WORKER_STOP, org_id=ORG)

    assert tenant.owns(user_id=None, api_key_id=ApiKeyId("key_1"))
    assert not tenant.owns(user_id=None, api_key_id=ApiKeyId("key_2"))
    assert not tenant.owns(user_id=USER, api_key_id=None)
    nobody = replace(key, kind=ActorKind.SYSTEM, api_key_id=None).require(Action.WORKER_STOP, org_id=ORG)
    assert not nobody.owns(user_id=None, api_key_id=None)
