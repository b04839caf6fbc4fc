"""What the organizations slice needs from storage."""

from typing import Protocol

from spunto.core.access.model import Actor, Tenant, UserId
from spunto.core.access.ports import AccessTransaction
from spunto.core.activity.model import AuditLog
from spunto.core.kernel.idempotency import IdempotencyRepository
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.model import Member, Membership, Organization, OrganizationView, User


class OrganizationRepository(Protocol):
    async def add(self, organization: Organization) -> None:
        """Raises Conflict `slug_taken`."""

    async def get(self, tenant: Tenant) -> Organization: ...

    async def list_of(self, actor: Actor, page: PageRequest) -> Page[OrganizationView]:
        """The organizations in which the actor has a role, newest first."""

    async def find_by_slug(self, slug: str) -> Organization | None: ...


class MemberRepository(Protocol):
    async def add_user(self, user: User) -> None:
        """Raises Conflict `email_taken`."""

    async def find_user_by_email(self, email: str) -> User | None: ...

    async def get_user(self, user_id: UserId) -> User: ...

    async def add(self, membership: Membership) -> None:
        """Raises Conflict `member_already`."""

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Member]:
        """Members, newest first by user id."""


class OrgsTransaction(AccessTransaction, Protocol):
    @property
    def organizations(self) -> OrganizationRepository: ...
    @property
    def members(self) -> MemberRepository: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def idempotency(self) -> IdempotencyRepository: ...
