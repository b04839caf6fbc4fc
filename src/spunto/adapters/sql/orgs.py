"""Organizations and their members in SQL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, literal_column, select, union_all, update

from spunto.adapters.sql.paging import page_of, paged, window
from spunto.adapters.sql.statements import AnyRow, Statements, first
from spunto.adapters.sql.tables.nodes import nodes
from spunto.adapters.sql.tables.orgs import memberships, organizations, users
from spunto.adapters.sql.tables.projects import projects
from spunto.adapters.sql.tables.routes import port_links, routes
from spunto.adapters.sql.tables.secrets import user_secrets
from spunto.adapters.sql.tables.workers import destroyed_workers, workers
from spunto.adapters.sql.types import IdList, is_in
from spunto.adapters.sql.versioned import Versioned
from spunto.core.access.model import Actor, OrgId, Tenant, UserId
from spunto.core.access.policy import Role
from spunto.core.kernel.errors import NotFound, StaleVersion
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.orgs.model import Member, Membership, Organization, OrganizationView, User

_GET = select(organizations).where(organizations.c.id == bindparam("org_id"))
_BY_SLUG = select(organizations).where(organizations.c.slug == bindparam("slug"))
_LIST = paged(
    select(organizations).where(is_in(organizations.c.id, bindparam("org_ids", type_=IdList))), organizations.c.id
)
_HOLD = select(organizations.c.id).where(organizations.c.id == bindparam("org_id")).with_for_update(read=True)
_LOCK = _GET.with_for_update()
_HOLDINGS: Any = union_all(
    *(
        select(literal_column(f"'{table.name}'"), func.count()).where(table.c.org_id == bindparam("org_id"))
        for table in (nodes, projects, workers)
    )
)
_REMOVE_SECRETS = delete(user_secrets).where(user_secrets.c.user_id == bindparam("of_org"))
_REMOVE_DESTROYED = delete(destroyed_workers).where(destroyed_workers.c.org_id == bindparam("of_org"))
_REMOVE_LINKS = delete(port_links).where(port_links.c.org_id == bindparam("of_org"))
_REMOVE_ROUTES = delete(routes).where(routes.c.org_id == bindparam("of_org"))
_REMOVE_MEMBERS = delete(memberships).where(memberships.c.org_id == bindparam("of_org"))
_BY_EMAIL = select(users).where(users.c.email == bindparam("email"))
_ADD_MEMBER = insert(memberships)
_IS_MEMBERSHIP = (memberships.c.org_id == bindparam("of_org")) & (memberships.c.user_id == bindparam("of_user"))
_GET_MEMBER = select(memberships).where(_IS_MEMBERSHIP)
_COUNT_OWNERS = select(func.count()).where(
    memberships.c.org_id == bindparam("of_org"), memberships.c.role == Role.OWNER.value
)
_UPDATE_MEMBER = update(memberships).where(_IS_MEMBERSHIP)
_REMOVE_MEMBER = delete(memberships).where(_IS_MEMBERSHIP)
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
        await _ORGANIZATIONS.add(self._statements, organization)

    async def get(self, tenant: Tenant) -> Organization:
        found = await self.find(tenant.org_id)
        if found is None:
            raise _ORGANIZATIONS.not_found(tenant.org_id)
        return found

    async def list_of(self, actor: Actor, page: PageRequest) -> Page[OrganizationView]:
        rows = await self._statements.all(_LIST, {"org_ids": list(actor.roles), **window(page)})
        return page_of(
            rows,
            page.limit,
            item_of=lambda row: OrganizationView(organization=_organization(row), role=actor.roles[row[0]]),
            key_of=lambda view: view.organization.id,
        )

    async def find(self, org_id: OrgId) -> Organization | None:
        return await _ORGANIZATIONS.find(self._statements, org_id)

    async def find_by_slug(self, slug: str) -> Organization | None:
        row = await first(self._statements, _BY_SLUG, {"slug": slug})
        return None if row is None else _organization(row)

    async def hold(self, tenant: Tenant) -> None:
        if await first(self._statements, _HOLD, {"org_id": tenant.org_id}) is None:
            raise _ORGANIZATIONS.not_found(tenant.org_id)

    async def lock(self, tenant: Tenant) -> Organization:
        row = await first(self._statements, _LOCK, {"org_id": tenant.org_id})
        if row is None:
            raise _ORGANIZATIONS.not_found(tenant.org_id)
        return _organization(row)

    async def update(self, organization: Organization) -> Organization:
        return await _ORGANIZATIONS.update(self._statements, organization)

    async def holdings(self, tenant: Tenant) -> Mapping[str, int]:
        rows = await self._statements.all(_HOLDINGS, {"org_id": tenant.org_id})
        return {kind: count for kind, count in rows if count}

    async def remove(self, organization: Organization) -> None:
        for statement in (_REMOVE_MEMBERS, _REMOVE_SECRETS, _REMOVE_DESTROYED, _REMOVE_LINKS, _REMOVE_ROUTES):
            await self._statements.change(statement, {"of_org": organization.id})
        await _ORGANIZATIONS.remove(self._statements, organization)


class SqlMemberRepository:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add_user(self, user: User) -> None:
        await _USERS.add(self._statements, user)

    async def find_user_by_email(self, email: str) -> User | None:
        row = await first(self._statements, _BY_EMAIL, {"email": email})
        return None if row is None else _user(*row)

    async def get_user(self, user_id: UserId) -> User:
        found = await _USERS.find(self._statements, user_id)
        if found is None:
            raise _USERS.not_found(user_id)
        return found

    async def update_user(self, user: User) -> User:
        return await _USERS.update(self._statements, user)

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

    async def get(self, tenant: Tenant, user_id: UserId) -> Membership:
        row = await first(self._statements, _GET_MEMBER, {"of_org": tenant.org_id, "of_user": user_id})
        if row is None:
            raise NotFound("member_not_found", f"The organization has no member {user_id!r}.", id=user_id)
        org_id, held_by, role, joined_at = row
        return Membership(org_id=org_id, user_id=held_by, role=Role(role), joined_at=joined_at)

    async def count_owners(self, tenant: Tenant) -> int:
        [(owners,)] = await self._statements.all(_COUNT_OWNERS, {"of_org": tenant.org_id})
        return int(owners)

    async def update(self, membership: Membership) -> None:
        await self._change(_UPDATE_MEMBER, membership, role=membership.role.value)

    async def remove(self, membership: Membership) -> None:
        await self._change(_REMOVE_MEMBER, membership)

    async def _change(self, statement: Any, membership: Membership, **values: Any) -> None:
        which = {"of_org": membership.org_id, "of_user": membership.user_id}
        if await self._statements.change(statement, {**which, **values}) == 0:
            raise StaleVersion("membership", membership.user_id)

    async def list(self, tenant: Tenant, page: PageRequest) -> Page[Member]:
        rows = await self._statements.all(_MEMBERS, {"org_id": tenant.org_id, **window(page)})
        return page_of(rows, page.limit, item_of=_member, key_of=lambda member: member.user.id)


def _organization(row: AnyRow) -> Organization:
    org_id, name, slug, created_at, version = row
    return Organization(id=org_id, name=name, slug=slug, created_at=created_at, version=version)


def _user(user_id: Any, name: Any, email: Any, created_at: Any, version: Any, dotfiles_repo: Any) -> User:
    return User(id=user_id, name=name, email=email, created_at=created_at, version=version, dotfiles_repo=dotfiles_repo)


def _member(row: AnyRow) -> Member:
    *user, role, joined_at = row
    return Member(user=_user(*user), role=Role(role), joined_at=joined_at)


def _organization_columns(organization: Organization) -> dict[str, Any]:
    return {
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "created_at": organization.created_at,
        "version": organization.version,
    }


def _user_columns(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "created_at": user.created_at,
        "version": user.version,
        "dotfiles_repo": user.dotfiles_repo,
    }


_ORGANIZATIONS = Versioned(organizations, kind="organization", read=_organization, write=_organization_columns)
_USERS = Versioned(users, kind="user", read=lambda row: _user(*row), write=_user_columns)
