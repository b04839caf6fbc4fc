"""Who may reach which port of which subject: the rules, from values to values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NewType, TypedDict

from spunto.core.access.model import Actor, ApiKeyId, OrgId, SessionId, Tenant, UserId
from spunto.core.access.policy import Action
from spunto.core.kernel.errors import Forbidden, NotFound, SpuntoError, Unauthenticated
from spunto.core.routes.asking import Allowed, Denied
from spunto.core.routes.desired import Sharing
from spunto.core.routes.model import Route

LinkId = NewType("LinkId", str)

_STATUS: Final[tuple[tuple[type[SpuntoError], int], ...]] = ((Unauthenticated, 401), (Forbidden, 403), (NotFound, 404))


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCode:
    """What a session is exchanged for at one host, once: good with the nonce that the browser keeps there."""

    code_hash: bytes = field(repr=False)
    session_id: SessionId
    subject_id: str
    host: str
    nonce_hash: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLink:
    """Whoever has the link's token reaches that port until it ends, also who is nobody here. `made_by` is a user."""

    id: LinkId
    org_id: OrgId
    subject_id: str
    port: int
    token_hash: bytes = field(repr=False)
    made_by: UserId
    created_at: datetime
    expires_at: datetime

    def is_good(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What somebody is let in to. `is_noted` where it is a stranger's, which the audit log is to hear of."""

    allowed: Allowed
    tenant: Tenant | None
    is_noted: bool = False


def entered(actor: Actor, route: Route, port: int) -> Entered:
    """Raises NotFound `worker_not_found`, Forbidden `missing_scope`, `not_owner`."""
    sharing = route.spec.sharing_of(port)
    if route.is_gone or (route.org_id not in actor.roles and sharing is not Sharing.PUBLIC):
        raise not_found(route.id)
    allowed = Allowed(by=actor.credential_id, user_id=actor.user_id, may_wake=may_wake(actor, route))
    if sharing is Sharing.PUBLIC:
        return Entered(allowed=allowed, tenant=None)
    tenant = actor.require(Action.WORKER_ENTER, org_id=route.org_id)
    if owns(tenant, route) or sharing is Sharing.ORG:
        return Entered(allowed=allowed, tenant=tenant)
    tenant.require_entry(**_owner_of(route))
    return Entered(allowed=allowed, tenant=tenant, is_noted=True)


def entered_by_link(link: PortLink | None, route: Route | None, port: int, *, now: datetime) -> Allowed:
    """A link leads in, and never wakes anything. Raises Unauthenticated `link_not_good`, NotFound."""
    if link is None or not link.is_good(now) or link.port != port or route is None or link.subject_id != route.id:
        raise link_not_good()
    if route.is_gone:
        raise not_found(route.id)
    return Allowed(by=link.id, user_id=None, may_wake=False)


def may_wake(actor: Actor, route: Route) -> bool:
    """Whoever may start it."""
    try:
        tenant = actor.require(Action.WORKER_START, org_id=route.org_id)
        tenant.require_own_or_admin(**_owner_of(route))
    except (Forbidden, NotFound):
        return False
    return True


def owns(tenant: Tenant, route: Route) -> bool:
    return tenant.owns(**_owner_of(route))


def denied(error: SpuntoError) -> Denied:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return Denied(code=error.code, status=status)


def link_not_good() -> Unauthenticated:
    return Unauthenticated("link_not_good", "The link has ended or was taken back; ask for a new one.")


def not_found(subject_id: str) -> NotFound:
    return NotFound("worker_not_found", f"There is no worker {subject_id!r}.", id=subject_id)


class _Owner(TypedDict):
    user_id: UserId | None
    api_key_id: ApiKeyId | None


def _owner_of(route: Route) -> _Owner:
    if route.owner_id.startswith("key_"):
        return {"user_id": None, "api_key_id": ApiKeyId(route.owner_id)}
    return {"user_id": UserId(route.owner_id), "api_key_id": None}
