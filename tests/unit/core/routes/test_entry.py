"""The rules of who reaches which port, and who may start what is stopped."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.builders import NODE, NOW, ORG, OTHER_ORG, OTHER_USER, USER, WORKER, an_actor, later

from spunto.core.access.model import Actor, ActorKind, ApiKeyId, UserId
from spunto.core.access.policy import Role, Scope
from spunto.core.kernel.errors import SpuntoError
from spunto.core.routes.asking import Allowed, Denied
from spunto.core.routes.desired import RouteState, Sharing
from spunto.core.routes.entry import LinkId, PortLink, denied, entered, entered_by_link
from spunto.core.routes.model import Route, Standing

KEY = ApiKeyId("key_00000000000000000000000000")
OTHER_KEY = ApiKeyId("key_00000000000000000000000001")
STANDING = Standing(state=RouteState.UP, reason="ready", node_id=NODE)
ROUTE = Route(
    id=WORKER,
    org_id=ORG,
    owner_id=USER,
    index=1,
    standing=STANDING,
    sharing={4000: Sharing.ORG, 5000: Sharing.PUBLIC},
    changed_at=NOW,
)
OF_KEY = replace(ROUTE, owner_id=KEY)
PORTS = (3000, 4000, 5000)
NOT_FOUND = Denied(code="worker_not_found", status=404)
NOT_OWNER = Denied(code="not_owner", status=403)
NO_SCOPE = Denied(code="missing_scope", status=403)


def a_key(*scopes: Scope, user_id: UserId | None = None, key_id: ApiKeyId = KEY, role: Role = Role.ADMIN) -> Actor:
    return Actor(
        kind=ActorKind.API_KEY,
        user_id=user_id,
        api_key_id=key_id,
        credential_id=key_id,
        roles={ORG: role},
        scopes=frozenset(scopes),
    )


OWNER = an_actor(role=Role.MEMBER)
MEMBER = an_actor(user_id=OTHER_USER, role=Role.MEMBER)
ADMIN = an_actor(user_id=OTHER_USER, role=Role.ADMIN)
STRANGER = an_actor(user_id=OTHER_USER, roles={OTHER_ORG: Role.OWNER})
EXEC = Scope.WORKERS_EXEC
WRITE = Scope.WORKERS_WRITE


@pytest.mark.parametrize(
    ("actor", "route", "answers"),
    [
        # Whether they may wake it, or why they may not come in: alone, shared with the organization, and public.
        (OWNER, ROUTE, (True, True, True)),
        (MEMBER, ROUTE, (NOT_OWNER, False, False)),
        (ADMIN, ROUTE, (NOT_OWNER, True, True)),
        (STRANGER, ROUTE, (NOT_FOUND, NOT_FOUND, False)),
        (a_key(EXEC, user_id=USER), ROUTE, (False, False, False)),
        (a_key(EXEC, WRITE, user_id=USER), ROUTE, (True, True, True)),
        (a_key(Scope.ALL, user_id=USER), ROUTE, (True, True, True)),
        (a_key(Scope.WORKERS_READ, user_id=USER), ROUTE, (NO_SCOPE, NO_SCOPE, False)),
        (a_key(WRITE, user_id=USER), ROUTE, (NO_SCOPE, NO_SCOPE, True)),
        (a_key(EXEC, user_id=OTHER_USER, role=Role.MEMBER), ROUTE, (NOT_OWNER, False, False)),
        (a_key(EXEC), ROUTE, (NOT_OWNER, False, False)),
        (a_key(EXEC), OF_KEY, (False, False, False)),
        (a_key(EXEC, WRITE), OF_KEY, (True, True, True)),
        (a_key(EXEC, key_id=OTHER_KEY), OF_KEY, (False, False, False)),
        (MEMBER, OF_KEY, (NOT_OWNER, False, False)),
        (ADMIN, OF_KEY, (True, True, True)),
        (STRANGER, OF_KEY, (NOT_FOUND, NOT_FOUND, False)),
        (OWNER, replace(ROUTE, standing=replace(STANDING, state=RouteState.GONE)), (NOT_FOUND,) * 3),
    ],
)
def test_who_reaches_what(actor: Actor, route: Route, answers: tuple[bool | Denied, ...]) -> None:
    assert tuple(answer(actor, route, port) for port in PORTS) == answers


def answer(actor: Actor, route: Route, port: int) -> bool | Denied:
    try:
        allowed = entered(actor, route, port).allowed
    except SpuntoError as error:
        return denied(error)
    assert (allowed.by, allowed.user_id) == (actor.credential_id, actor.user_id)
    return allowed.may_wake


@pytest.mark.parametrize(
    ("actor", "route", "port", "is_noted"),
    [
        (ADMIN, OF_KEY, 3000, True),
        (ADMIN, OF_KEY, 4000, False),
        (a_key(EXEC, key_id=OTHER_KEY), OF_KEY, 3000, True),
        (a_key(EXEC), OF_KEY, 3000, False),
        (OWNER, ROUTE, 3000, False),
    ],
)
def test_who_enters_a_stranger_s_is_noted(actor: Actor, route: Route, port: int, is_noted: bool) -> None:
    assert entered(actor, route, port).is_noted is is_noted


LINK = PortLink(
    id=LinkId("lnk_1"),
    org_id=ORG,
    subject_id=WORKER,
    port=3000,
    token_hash=b"",
    made_by=USER,
    created_at=NOW,
    expires_at=later(60),
)
NO_LINK = Denied(code="link_not_good", status=401)


@pytest.mark.parametrize(
    ("link", "route", "port", "seconds", "answer"),
    [
        (LINK, ROUTE, 3000, 59, Allowed(by="lnk_1", user_id=None, may_wake=False)),
        (LINK, ROUTE, 3000, 60, NO_LINK),
        (LINK, ROUTE, 3001, 0, NO_LINK),
        (LINK, replace(ROUTE, id="wkr_2"), 3000, 0, NO_LINK),
        (LINK, None, 3000, 0, NO_LINK),
        (None, ROUTE, 3000, 0, NO_LINK),
        (LINK, replace(ROUTE, standing=replace(STANDING, state=RouteState.GONE)), 3000, 0, NOT_FOUND),
    ],
)
def test_a_link_leads_to_its_port_until_it_ends(
    link: PortLink | None, route: Route | None, port: int, seconds: float, answer: Any
) -> None:
    try:
        found: Any = entered_by_link(link, route, port, now=later(seconds))
    except SpuntoError as error:
        found = denied(error)

    assert found == answer
