"""The tokens of API keys, and that a key only ever takes away."""

import hashlib
import re
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.builders import NOW, ORG, OTHER_ORG, USER, an_actor, later

from spunto.core.access.api_keys import ApiKey, OwnerType, new_token, parsed
from spunto.core.access.model import Actor, ApiKeyId, OrgId, UserId
from spunto.core.access.policy import POLICY, Action, Role, Scope
from spunto.core.kernel.errors import Forbidden, SpuntoError
from spunto.core.kernel.secret import Secret

BASE62 = string.ascii_letters + string.digits
scopes = st.frozensets(st.sampled_from(Scope))
roles = st.sampled_from(Role)


def a_key(*, user_id: UserId | None = USER, held: frozenset[Scope] = frozenset({Scope.ALL})) -> ApiKey:
    return ApiKey(
        id=ApiKeyId("key_00000000000000000000000000"),
        org_id=ORG,
        name="CI",
        user_id=user_id,
        created_by=USER,
        kid="0123456789ab",
        secret_hash=b"",
        scopes=held,
        created_at=NOW,
        expires_at=later(60),
    )


def allows(actor: Actor | None, action: Action, org_id: OrgId = ORG) -> bool:
    try:
        return actor is not None and bool(actor.require(action, org_id=org_id))
    except SpuntoError:
        return False


def test_a_token_is_told_by_its_shape_and_taken_apart() -> None:
    token = new_token()

    taken_apart = parsed(token)

    assert re.fullmatch(r"spk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", token.reveal())
    assert taken_apart is not None
    assert (taken_apart.kid, len(taken_apart.secret_hash)) == (token.reveal()[4:16], 32)
    assert new_token() != token


@given(st.integers(0, 65), st.sampled_from(BASE62 + "_ -"))
def test_a_wrong_character_is_noticed(place: int, wrong: str) -> None:
    right = new_token().reveal()
    mistyped = right[:place] + wrong + right[place + 1 :]

    assert mistyped == right or parsed(Secret(mistyped)) is None


@given(st.integers(0, 64))
def test_two_characters_swapped_are_noticed(place: int) -> None:
    right = new_token().reveal()
    mistyped = right[:place] + right[place + 1] + right[place] + right[place + 2 :]

    assert mistyped == right or parsed(Secret(mistyped)) is None


@given(st.text())
def test_anything_else_is_no_token(text: str) -> None:
    assert parsed(Secret(text)) is None
    assert parsed(Secret(f"spk_{text}")) is None
    assert parsed(Secret(f"{new_token().reveal()}{text or 'x'}")) is None


def test_a_token_proves_its_own_key_only() -> None:
    taken_apart, other = parsed(new_token()), parsed(new_token())
    assert taken_apart is not None
    assert other is not None
    key = replace(a_key(), secret_hash=taken_apart.secret_hash)

    assert taken_apart.proves(key)
    assert not other.proves(key)
    assert not taken_apart.proves(None)


def test_nobody_proves_a_key_that_is_missing() -> None:
    taken_apart = parsed(new_token())
    assert taken_apart is not None
    nobody_s = replace(a_key(), secret_hash=hashlib.sha256(b"").digest())

    assert not taken_apart.proves(nobody_s)


@given(scopes, roles, st.sampled_from(Action))
def test_a_key_never_grants_more_than_its_owner_or_its_scopes(
    held: frozenset[Scope], role: Role, action: Action
) -> None:
    allowed = allows(a_key(held=held).acting_as(role), action)

    covered = any(scope.covers(needed) for scope in held for needed in POLICY[action].scopes)
    assert allowed == (allows(an_actor(role=role), action) and covered and not POLICY[action].session_only)


@given(scopes, st.sampled_from(Action))
def test_an_organization_s_key_never_grants_more_than_an_admin_has(held: frozenset[Scope], action: Action) -> None:
    assert not allows(a_key(user_id=None, held=held).acting_as(Role.ADMIN), action) or allows(
        an_actor(role=Role.ADMIN), action
    )


@given(scopes, st.sampled_from(Action), st.none() | st.just(USER))
def test_a_key_opens_no_other_organization(held: frozenset[Scope], action: Action, user_id: UserId | None) -> None:
    actor = a_key(user_id=user_id, held=held).acting_as(Role.OWNER)

    assert not allows(actor, action, OTHER_ORG)


def test_a_key_whose_owner_is_no_member_is_nobody() -> None:
    assert a_key().acting_as(None) is None


def test_only_a_person_s_key_is_a_person() -> None:
    own, organization_s = a_key().acting_as(Role.MEMBER), a_key(user_id=None).acting_as(Role.ADMIN)
    assert own is not None
    assert organization_s is not None

    assert (own.require_person(), own.owning_key_id) == (USER, None)
    assert organization_s.owning_key_id == a_key().id
    with pytest.raises(Forbidden) as caught:
        organization_s.require_person()
    assert caught.value.code == "user_required"


def test_a_key_ends_by_age_and_by_revocation() -> None:
    key = a_key()

    assert key.is_good(later(59.9))
    assert not key.is_good(later(60))
    assert replace(key, expires_at=None).is_good(later(10**9))
    assert not replace(key, revoked_at=NOW).is_good(NOW)


def test_an_owner_is_told() -> None:
    assert [a_key().owner_type, a_key(user_id=None).owner_type] == [OwnerType.USER, OwnerType.ORG]
    assert a_key().prefix == "spk_0123456789ab"
