"""Organizations and their members in SQL."""

from typing import Any

from sqlalchemy import bindparam, insert, select

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables import memberships, organizations, users
from spunto.adapters.sql.types import IdList, is_in
from spunto.core.access.model import Actor, Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.model import Member, Membership, Organization, OrganizationView, User

_ADD = insert(organizations)
_GET = select(organizations).where(organizations.c.id == bindparam("org_id"))
_BY_SLUG = select(organizations).where(organizations.c.slug == bindparam("slug"))
_LIST = paged(
    select(organizations).where(is_in(organizations.c.id, bindparam("org_ids", type_=IdList))), organizations.c.id
)
_ADD_USER = insert(users)
_GET_USER = select(users).where(users.c.id == bindparam("user_id"))
_BY_EMAIL = select(users).where(users.c.email == bindparam("email"))
_ADD_MEMBER = insert(memberships)
_MEMBERS = paged(
    select(users, memberships.c.role, memberships.c.joined_at)
    .join_from(memberships, users, memberships.c.user_id == users.c.id)
    .where(memberships.c.org_id == bindparam("org_id")),
    memberships.c.user_id,
)


class SqlOrganizationRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, organization: Organization) -> None:
        await self._statements.change(
            _ADD,
            {
                "id": organization.id,
                "name": organization.name,
                "slug": organization.slug,
                "created_at": organization.created_at,
                "version": organization.version,
            },
        )

    async def get(self, tenant: Tenant) -> Organization:
        row = await first(self._statements, _GET, {"org_id": tenant.org_id})
        if row is None:
            raise NotFound("organization_not_found", f"There is no organization {tenant.org_id!r}.", id=tenant.org_id)
        return _organization(row)

    async def list_of(self, actor: Actor, page: PageRequest) -> Page[OrganizationView]:
        rows = await self._statements.all(_LIST, {"org_ids": list(actor.roles), **window(page)})
        return page_of(
            rows,
            page.limit,
            item_of=lambda row: OrganizationView(organization=_organization(row), role=actor.roles[row[0]]),
            key_of=lambda view: view.organization.id,
        )

    async def find_by_slug(self, slug: str) -> Organization | None:
        row = await first(self._statements, _BY_SLUG, {"slug": slug})
        return None if row is None else _organization(row)


class SqlMemberRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add_user(self, user: User) -> None:
        await self._statements.change(
            _ADD_USER,
            {
                "id": user.id,
                "name": user.name,
                "email": user.email,
                "created_at": user.created_at,
                "version": user.version,
            },
        )

    async def find_user_by_email(self, email: str) -> User | None:
        row = await first(self._statements, _BY_EMAIL, {"email": email})
        return None if row is None else _user(*row)

    async def get_user(self, user_id: UserId) -> User:
        row = await first(self._statements, _GET_USER, {"user_id": user_id})
        if row is None:
            raise NotFound("user_not_found", f"There is no user {user_id!r}.", id=user_id)
        return _user(*row)

    async def add(self, membership: Membership) -> None:
        await self._statements.change(
            _ADD_MEMBER,
            {
                "org_id": membership.org_id,
                "user_id": membership.user_id,
                "role": membership.role.value,
                "joined_at": membership.joined_at,
            },
        )

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Member]:
        rows = await self._statements.all(_MEMBERS, {"org_id": tenant.org_id, **window(page)})
        return page_of(rows, page.limit, item_of=_member, key_of=lambda member: member.user.id)


def _organization(row: AnyRow) -> Organization:
    org_id, name, slug, created_at, version = row
    return Organization(id=org_id, name=name, slug=slug, created_at=created_at, version=version)


def _user(user_id: Any, name: Any, email: Any, created_at: Any, version: Any) -> User:
    return User(id=user_id, name=name, email=email, created_at=created_at, version=version)


def _member(row: AnyRow) -> Member:
    *user, role, joined_at = row
    return Member(user=_user(*user), role=Role(role), joined_at=joined_at)
