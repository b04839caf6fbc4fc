"""Who asks, and what they may do: actors, roles, scopes, and the proof of a passed check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from spunto.core.access.policy import POLICY, Action, Role, Scope
from spunto.core.kernel.errors import Forbidden, NotFound

OrgId = NewType("OrgId", str)
UserId = NewType("UserId", str)
ApiKeyId = NewType("ApiKeyId", str)
SessionId = NewType("SessionId", str)


class ActorKind(StrEnum):
    USER = "user"
    API_KEY = "api_key"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody with a good credential. `scopes` is None for a session, which may do all that its role may."""

    kind: ActorKind
    user_id: UserId | None = None
    api_key_id: ApiKeyId | None = None
    credential_id: str
    roles: Mapping[OrgId, Role]
    scopes: frozenset[Scope] | None = None
    # The credential's own end; a session may end earlier by idleness.
    expires_at: datetime | None = None
    request_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.api_key_id or self.user_id or "system"

    @property
    def owning_key_id(self) -> ApiKeyId | None:
        """The key that owns what this actor makes; None where a person does, also by a key of theirs."""
        return self.api_key_id if self.user_id is None else None

    @property
    def owner_id(self) -> str:
        """Who stands behind what this actor makes: a person, also for a key of theirs, or an organization's key."""
        return self.owning_key_id or self.user_id or "system"

    def require_person(self) -> UserId:
        """The person who acts, by a session or a key of their own. Raises Forbidden for a key of an organization."""
        if self.user_id is None:
            raise Forbidden("user_required", "This key belongs to an organization and is nobody's own.")
        return self.user_id

    def require(self, action: Action, *, org_id: OrgId) -> "Tenant":
        """Prove that the actor may do this in that organization.

        Raises NotFound for an organization that is not the actor's (it tells nothing of its existence), Forbidden
        `missing_scope` with `requiredScopes`, or Forbidden `role_required` with `requiredRole`.
        """
        role = self.roles.get(org_id)
        if role is None:
            raise NotFound("organization_not_found", f"There is no organization {org_id!r}.", id=org_id)
        self.require_scope(action)
        rule = POLICY[action]
        if not role.includes(rule.role):
            raise Forbidden(
                "role_required", f"This needs the role {rule.role} in the organization.", requiredRole=rule.role.value
            )
        return Tenant(org_id=org_id, role=role, actor=self)

    def require_scope(self, action: Action) -> None:
        """Raises Forbidden unless the credential covers the action, whatever the organization."""
        rule = POLICY[action]
        if self.scopes is None:
            return
        if rule.session_only:
            raise Forbidden("session_required", "API keys can't do this; sign in instead.")
        if not any(held.covers(needed) for held in self.scopes for needed in rule.scopes):
            needed = sorted(scope.value for scope in rule.scopes)
            raise Forbidden("missing_scope", f"The key lacks the scope: {' or '.join(needed)}.", requiredScopes=needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Proof that an actor passed a check inside one organization; made by `Actor.require`, demanded by repositories."""

    org_id: OrgId
    role: Role
    actor: Actor

    def require_own(self, *, user_id: UserId | None, api_key_id: ApiKeyId | None) -> None:
        """Raises Forbidden `not_owner` unless the thing with that owner is the actor's own."""
        if not self.owns(user_id=user_id, api_key_id=api_key_id):
            raise Forbidden("not_owner", "Only its owner may do this.")

    def require_own_or_admin(self, *, user_id: UserId | None, api_key_id: ApiKeyId | None) -> None:
        """Raises Forbidden `not_owner` for another member's thing unless the actor's role is admin or above."""
        if not self.role.includes(Role.ADMIN):
            self.require_own(user_id=user_id, api_key_id=api_key_id)

    def require_entry(self, *, user_id: UserId | None, api_key_id: ApiKeyId | None) -> None:
        """Its owner enters a thing, and admins what an organization's key owns. Raises Forbidden `not_owner`."""
        if api_key_id is None or not self.role.includes(Role.ADMIN):
            self.require_own(user_id=user_id, api_key_id=api_key_id)

    def owns(self, *, user_id: UserId | None, api_key_id: ApiKeyId | None) -> bool:
        """Whether a thing with that owner is the actor's own."""
        if self.actor.owning_key_id is not None:
            return api_key_id == self.actor.owning_key_id
        return user_id is not None and user_id == self.actor.user_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in. Only the token's hash is kept; it ends by idleness, by age, or by revocation."""

    id: SessionId
    user_id: UserId
    token_hash: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime
    idle_seconds: int | None
    revoked_at: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When it ends unless it is used again."""
        if self.idle_seconds is None:
            return self.expires_at
        return min(self.expires_at, self.last_seen_at + timedelta(seconds=self.idle_seconds))

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInCode:
    """A code that opens one session, once."""

    code_hash: bytes = field(repr=False)
    user_id: UserId
    expires_at: datetime
