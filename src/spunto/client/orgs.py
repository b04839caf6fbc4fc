"""Organizations, for the client."""

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import SecretStr, field_serializer

from spunto.client.api import Api, Page, json_of
from spunto.client.wire import WireModel


class Organization(WireModel):
    id: str
    name: str
    slug: str
    role: str = ""
    created_at: datetime


class Member(WireModel):
    user_id: str
    name: str = ""
    email: str = ""
    role: str
    joined_at: datetime


class Invitation(WireModel):
    """`mail` is `pending`, `sent`, `logged` where the server mails nothing, or `refused` by the mail server."""

    id: str
    email: str
    role: str
    invited_by: str = ""
    mail: str = ""
    created_at: datetime
    expires_at: datetime


class MadeInvitation(Invitation):
    """With its link, shown this once."""

    url: SecretStr

    @field_serializer("url", when_used="json")
    def _revealed(self, url: SecretStr) -> str:
        return url.get_secret_value()


class Organizations:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Organization]:
        return await self._api.page(Organization, "/api/orgs", limit=limit, cursor=cursor)

    def iter_orgs(self) -> AsyncIterator[Organization]:
        return self._api.pages(Organization, "/api/orgs")

    async def create(self, name: str, *, slug: str | None = None, idempotency_key: str | None = None) -> Organization:
        body = {"name": name} | ({} if slug is None else {"slug": slug})
        return await self._api.create(Organization, "/api/orgs", body, idempotency_key=idempotency_key)

    async def get(self, org_id: str) -> Organization:
        return await self._api.get(Organization, f"/api/orgs/{org_id}")

    async def update(
        self, org_id: str, *, name: str | None = None, slug: str | None = None, if_match: str | None = None
    ) -> Organization:
        """Rename it; what is None stays. Raises ChangedMeanwhile."""
        changes = {field: value for field, value in (("name", name), ("slug", slug)) if value is not None}
        return await self._api.patch(Organization, f"/api/orgs/{org_id}", changes, if_match=if_match)

    async def delete(self, org_id: str, *, if_match: str | None = None) -> None:
        """Raises StateConflict `organization_not_empty` while it holds nodes, projects or workers; ChangedMeanwhile."""
        await self._api.delete(f"/api/orgs/{org_id}", if_match=if_match)

    async def members(self, org_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Member]:
        return await self._api.page(Member, f"/api/orgs/{org_id}/members", limit=limit, cursor=cursor)

    def iter_members(self, org_id: str) -> AsyncIterator[Member]:
        return self._api.pages(Member, f"/api/orgs/{org_id}/members")

    async def change_role(self, org_id: str, user_id: str, role: str) -> Member:
        """`owner`, `admin` or `member`. Raises StateConflict `last_owner`."""
        return await self._api.patch(Member, f"/api/orgs/{org_id}/members/{user_id}", {"role": role})

    async def remove_member(self, org_id: str, user_id: str) -> None:
        """Raises StateConflict `last_owner`."""
        await self._api.delete(f"/api/orgs/{org_id}/members/{user_id}")

    async def leave(self, org_id: str) -> None:
        """End one's own membership. Raises StateConflict `last_owner`."""
        own = json_of(await self._api.request("GET", "/api/auth/session"))
        await self.remove_member(org_id, own["userId"])

    async def invite(
        self, org_id: str, email: str, *, role: str = "member", idempotency_key: str | None = None
    ) -> MadeInvitation:
        """Also mailed. Takes the place of an earlier invitation of the address."""
        body = {"email": email, "role": role}
        path = f"/api/orgs/{org_id}/invites"
        return await self._api.create(MadeInvitation, path, body, idempotency_key=idempotency_key)

    async def invitations(self, org_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Invitation]:
        return await self._api.page(Invitation, f"/api/orgs/{org_id}/invites", limit=limit, cursor=cursor)

    def iter_invitations(self, org_id: str) -> AsyncIterator[Invitation]:
        return self._api.pages(Invitation, f"/api/orgs/{org_id}/invites")

    async def revoke_invitation(self, org_id: str, invitation_id: str) -> None:
        await self._api.delete(f"/api/orgs/{org_id}/invites/{invitation_id}")

    async def accept_invitation(self, token: str, *, idempotency_key: str | None = None) -> Organization:
        """Join by the last part of an invitation's link."""
        body = {"token": token}
        return await self._api.create(Organization, "/api/invites/accept", body, idempotency_key=idempotency_key)
