"""What the organizations slice needs from storage."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from spunto.core.access.model import Actor, OrgId, Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.access.ports import AccessTransaction
from spunto.core.activity.events import EventFeed
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.idempotency import IdempotencyRepository
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.reconcile import Schedule
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.devices import DeviceRequest, DeviceState
from spunto.core.orgs.invitation import Invitation, InvitationId
from spunto.core.orgs.model import Identity, Member, Membership, Organization, OrganizationView, User
from spunto.core.orgs.ssh_keys import SshKey, SshKeyId


class OrganizationRepository(Protocol):
    async def add(self, organization: Organization) -> None:
        """Raises Conflict `slug_taken`."""

    async def get(self, tenant: Tenant) -> Organization: ...

    async def list_of(self, actor: Actor, page: PageRequest) -> Page[OrganizationView]:
        """The organizations in which the actor has a role, newest first."""

    async def find(self, org_id: OrgId) -> Organization | None:
        """For what comes without a tenant: mail, and the page behind an invitation's link."""

    async def find_by_slug(self, slug: str) -> Organization | None: ...

    async def hold(self, tenant: Tenant) -> None:
        """Keep the organization from being removed before this transaction ends. For whatever puts something into it.

        Raises NotFound.
        """

    async def lock(self, tenant: Tenant) -> Organization:
        """Get it, and let no other transaction change its members, fill or remove it before this one ends.

        Raises NotFound.
        """

    async def update(self, organization: Organization) -> Organization:
        """Raises StaleVersion, Conflict `slug_taken`."""

    async def holdings(self, tenant: Tenant) -> Mapping[str, int]:
        """How many nodes, projects and workers it has, by those words; what it has none of is not named."""

    async def remove(self, organization: Organization) -> None:
        """With its memberships, invitations, webhooks and secrets. Look at its holdings first, under `lock`.

        Raises StaleVersion.
        """


class MemberRepository(Protocol):
    async def add_user(self, user: User) -> None:
        """Raises Conflict `email_taken`."""

    async def find_user_by_email(self, email: str) -> User | None: ...

    async def get_user(self, user_id: UserId) -> User: ...

    async def update_user(self, user: User) -> User:
        """Name, address and settings. Raises StaleVersion, Conflict `email_taken`."""

    async def add(self, membership: Membership) -> None:
        """Raises Conflict `member_already`."""

    async def get(self, tenant: Tenant, user_id: UserId) -> Membership:
        """Raises NotFound `member_not_found`."""

    async def count_owners(self, tenant: Tenant) -> int: ...

    async def update(self, membership: Membership) -> None:
        """Raises StaleVersion where it is gone. The role is all that changes."""

    async def remove(self, membership: Membership) -> None:
        """Raises StaleVersion where it is gone."""

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Member]:
        """Members, newest first by user id."""


class SshKeyRepository(Protocol):
    async def add(self, key: SshKey) -> None:
        """Raises Conflict `ssh_key_exists` where the user has the same key already."""

    async def of_user(self, user_id: UserId) -> Sequence[SshKey]:
        """All of the user's, newest first."""

    async def remove(self, user_id: UserId, key_id: SshKeyId) -> None:
        """Raises NotFound `ssh_key_not_found`, also for another user's."""


class IdentityRepository(Protocol):
    async def find(self, *, issuer: str, subject: str) -> UserId | None: ...

    async def add(self, identity: Identity) -> None:
        """Raises StaleVersion where this issuer and subject are somebody's already."""


class DeviceRepository(Protocol):
    async def add(self, request: DeviceRequest) -> None:
        """Also forgets what has expired by then. Raises StaleVersion where another one has the same user code."""

    async def find(self, device_hash: bytes) -> DeviceRequest | None: ...

    async def find_by_user_code(self, user_code_hash: bytes) -> DeviceRequest | None: ...

    async def decide(self, user_code_hash: bytes, *, state: DeviceState, user_id: UserId, now: datetime) -> bool:
        """Decide on a pending one; whether there was one. Of any number of callers at most one decides."""

    async def redeem(self, device_hash: bytes, *, now: datetime) -> UserId | None:
        """Use an approved one up: of any number of callers at most one gets the user, and none after its expiry."""

    async def note_poll(self, device_hash: bytes, *, at: datetime, interval_seconds: int) -> None:
        """Note the last look, and how long to wait until the next one."""


class IdentityProvider(Protocol):
    """One OpenID Connect issuer, at which this server is a client."""

    @property
    def issuer(self) -> str: ...

    @property
    def client_id(self) -> str: ...

    @property
    def hosted_domain(self) -> str | None:
        """The one domain whose accounts may sign in, where there is such a rule."""

    @property
    def trusts_unsaid_email(self) -> bool:
        """Whether an address counts of which the issuer does not say whether it is verified."""

    async def authorization_url(self, *, state: str, nonce: str, challenge: str, redirect_uri: str) -> str:
        """Where to send the browser. Raises Unavailable `provider_unavailable`."""

    async def claims(self, code: Secret, *, verifier: Secret, redirect_uri: str) -> Mapping[str, Any]:
        """The claims of the ID token that the code is good for, its signature checked, nothing else.

        Raises Unauthenticated `sign_in_refused` for a code or a token that is not good, Unavailable
        `provider_unavailable`. A code is good once.
        """


class InvitationRepository(Protocol):
    async def put(self, invitation: Invitation) -> None:
        """Add it, in place of an earlier one of the same organization to the same address."""

    async def get(self, tenant: Tenant, invitation_id: InvitationId) -> Invitation:
        """Raises NotFound `invitation_not_found`."""

    async def find(self, invitation_id: InvitationId) -> Invitation | None:
        """For the loop that mails."""

    async def find_by_token(self, token_hash: bytes) -> Invitation | None:
        """By either of its tokens."""

    async def list(self, tenant: Tenant, page: PageRequest, *, now: datetime) -> Page[Invitation]:
        """Those that have not expired, newest first."""

    async def update(self, invitation: Invitation) -> Invitation:
        """Raises StaleVersion."""

    async def remove(self, invitation: Invitation) -> None:
        """Raises StaleVersion where it is gone: of any number of callers one removes it."""

    async def remove_made_by(self, tenant: Tenant, user_id: UserId, *, roles: Collection[Role]) -> int:
        """Remove those to one of the roles that the user made; how many."""


class OrgsTransaction(AccessTransaction, Protocol):
    @property
    def organizations(self) -> OrganizationRepository: ...
    @property
    def members(self) -> MemberRepository: ...
    @property
    def invitations(self) -> InvitationRepository: ...
    @property
    def due(self) -> Schedule: ...
    @property
    def ssh_keys(self) -> SshKeyRepository: ...
    @property
    def devices(self) -> DeviceRepository: ...
    @property
    def identities(self) -> IdentityRepository: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def events(self) -> EventFeed: ...
    @property
    def idempotency(self) -> IdempotencyRepository: ...
