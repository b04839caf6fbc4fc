"""The token's own user, for the client: settings, secrets and SSH keys."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from spunto.client.api import Api, Page, parsed
from spunto.client.retry import Repeat
from spunto.client.wire import WireModel
from spunto.core.kernel.secret import Secret


class User(WireModel):
    """Somebody's own settings."""

    id: str
    name: str
    email: str = ""
    dotfiles_repo: str | None = None
    created_at: datetime


Projects = Literal["own", "all"] | Sequence[str]
"""Which workers a secret enters: those of its owner's `own` projects, of a list of ids (and `own`), or `all`."""


class UserSecret(WireModel):
    """A secret without its value, which is never told; `projects` says which workers it enters."""

    id: str
    name: str
    projects: str | tuple[str, ...] = "own"
    updated_at: datetime


class SshKey(WireModel):
    id: str
    name: str
    type: str = ""
    public_key: str = ""
    fingerprint: str
    created_at: datetime


_ME = "/api/users/me"


def of_secret(name: str, value: Secret | str, projects: Projects | None) -> Mapping[str, Any]:
    """The body that sets a secret."""
    text = value if isinstance(value, str) else value.reveal()
    return {"name": name, "value": text, **({} if projects is None else {"projects": _wire(projects)})}


def _wire(projects: Projects) -> str | list[str]:
    return projects if isinstance(projects, str) else list(projects)


class Users:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def me(self) -> User:
        return await self._api.get(User, _ME)

    async def update(self, changes: Mapping[str, Any], *, if_match: str | None = None) -> User:
        """A merge patch by the API's own field names: an absent field stays, None clears. Raises ChangedMeanwhile."""
        return await self._api.patch(User, _ME, changes, if_match=if_match)

    async def secrets(self, *, limit: int = 50, cursor: str | None = None) -> Page[UserSecret]:
        return await self._api.page(UserSecret, f"{_ME}/secrets", limit=limit, cursor=cursor)

    def iter_secrets(self) -> AsyncIterator[UserSecret]:
        return self._api.pages(UserSecret, f"{_ME}/secrets")

    async def put_secret(self, name: str, value: Secret | str, *, projects: Projects | None = None) -> UserSecret:
        """Make the secret, or give the one of that name another value. Without `projects` a new one enters the owner's
        own, and a known one what it entered before."""
        return parsed(
            UserSecret, await self._api.request("POST", f"{_ME}/secrets", body=of_secret(name, value, projects))
        )

    async def let_secret_into(self, secret_id: str, projects: Projects) -> UserSecret:
        """Say which workers it enters from now on."""
        return await self._api.patch(UserSecret, f"{_ME}/secrets/{secret_id}", {"projects": _wire(projects)})

    async def delete_secret(self, secret_id: str) -> None:
        await self._api.delete(f"{_ME}/secrets/{secret_id}")

    async def ssh_keys(self) -> tuple[SshKey, ...]:
        """All of them, newest first."""
        return tuple([key async for key in self._api.pages(SshKey, f"{_ME}/ssh-keys")])

    async def add_ssh_key(self, public_key: str, *, name: str | None = None) -> SshKey:
        """Add the line of a `.pub` file."""
        body = {"publicKey": public_key} | ({} if name is None else {"name": name})
        # A repeat after a lost answer would only say that the key is there already.
        return parsed(SshKey, await self._api.request("POST", f"{_ME}/ssh-keys", body=body, repeat=Repeat.REFUSED))

    async def delete_ssh_key(self, ssh_key_id: str) -> None:
        await self._api.delete(f"{_ME}/ssh-keys/{ssh_key_id}")
