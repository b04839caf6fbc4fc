"""An organization's own secrets, for the client."""

from collections.abc import AsyncIterator

from spunto.client.api import Api, Page, parsed
from spunto.client.users import Projects, UserSecret, of_secret
from spunto.core.kernel.secret import Secret


class OrganizationSecrets:
    """For admins. A value is never told."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, org_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[UserSecret]:
        return await self._api.page(UserSecret, _path(org_id), limit=limit, cursor=cursor)

    def iter_secrets(self, org_id: str) -> AsyncIterator[UserSecret]:
        return self._api.pages(UserSecret, _path(org_id))

    async def put(self, org_id: str, name: str, value: Secret | str, *, projects: Projects | None = None) -> UserSecret:
        """Make the secret, or give the one of that name another value. Without `projects` a new one enters no worker,
        and a known one those that it entered before."""
        answer = await self._api.request("POST", _path(org_id), body=of_secret(name, value, projects))
        return parsed(UserSecret, answer)

    async def let_into(self, org_id: str, secret_id: str, projects: Projects) -> UserSecret:
        """Grant it to these projects, or to `all`, and to no others."""
        granted = projects if isinstance(projects, str) else list(projects)
        return await self._api.patch(UserSecret, f"{_path(org_id)}/{secret_id}", {"projects": granted})

    async def delete(self, org_id: str, secret_id: str) -> None:
        await self._api.delete(f"{_path(org_id)}/{secret_id}")


def _path(org_id: str) -> str:
    return f"/api/orgs/{org_id}/secrets"
