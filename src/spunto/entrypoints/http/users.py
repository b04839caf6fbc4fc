"""A person's own settings and SSH keys over HTTP."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, UserId
from spunto.core.orgs.model import User
from spunto.core.orgs.ssh_keys import MAX_LINE_CHARACTERS, SshKey, SshKeyId
from spunto.core.orgs.users import UserService
from spunto.entrypoints.http.errors import invalid_fields
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import items_response
from spunto.entrypoints.http.preconditions import precondition, tagged
from spunto.entrypoints.http.requests import In, Name, idempotency_key, read
from spunto.entrypoints.http.responses import Reply, no_content

# Without a user in it where it is https: a password in an address would be shown to whoever reads the settings.
GitUrl = Annotated[
    str,
    StringConstraints(
        max_length=2048,
        pattern=r"^(https://[A-Za-z0-9][^\s@\x00-\x20\x7f]*|ssh://[A-Za-z0-9][^\s\x00-\x20\x7f]*"
        r"|[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s\x00-\x20\x7f-][^\s\x00-\x20\x7f]*)$",
    ),
]
PublicKeyLine = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LINE_CHARACTERS)]


class UserPatchIn(In):
    """A merge patch: what is absent stays, null clears."""

    name: Name | None = None
    dotfiles_repo: GitUrl | None = None

    def changes(self) -> dict[str, str | None]:
        """Raises Invalid for a name that is null."""
        given = {field: getattr(self, field) for field in self.model_fields_set}
        if "name" in given and given["name"] is None:
            raise invalid_fields([{"pointer": "/name", "message": "Can't be cleared"}])
        return given


class SshKeyIn(In):
    public_key: PublicKeyLine
    name: Name | None = None


class UserOut(TypedDict):
    id: UserId
    name: str
    email: str
    dotfilesRepo: str | None
    createdAt: datetime


class SshKeyOut(TypedDict):
    id: SshKeyId
    name: str
    type: str
    publicKey: str
    fingerprint: str
    createdAt: datetime


class SshKeysOut(TypedDict):
    items: list[SshKeyOut]
    nextCursor: str | None


def user_out(user: User) -> UserOut:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "dotfilesRepo": user.dotfiles_repo,
        "createdAt": user.created_at,
    }


def ssh_key_out(key: SshKey) -> SshKeyOut:
    return {
        "id": key.id,
        "name": key.name,
        "type": key.type,
        "publicKey": key.public_key,
        "fingerprint": key.fingerprint,
        "createdAt": key.created_at,
    }


def _added(key: SshKey) -> Reply:
    return Reply(ssh_key_out(key), 201, {"Location": f"/api/users/me/ssh-keys/{key.id}"})


def users_blueprint(users: UserService) -> Blueprint:
    routes = Blueprint("users", __name__, url_prefix="/api/users/me")

    @routes.get("")
    @operation("Get your own settings", answers={200: UserOut}, errors=("user_required",), tagged=True)
    async def get(actor: Actor) -> Response:
        return tagged(user_out(await users.get(actor)))

    @routes.patch("")
    @operation(
        "Change your own settings",
        description="`dotfilesRepo` is an https or ssh address for git, without a password in it.",
        body=UserPatchIn,
        answers={200: UserOut},
        errors=("user_required",),
        tagged=True,
    )
    async def update(actor: Actor) -> Response:
        asked = await read(UserPatchIn)
        return tagged(user_out(await users.update(actor, asked.changes(), precondition=precondition(user_out))))

    @routes.get("/ssh-keys")
    @operation("List your SSH public keys", answers={200: SshKeysOut}, errors=("user_required",))
    async def list_keys(actor: Actor) -> Response:
        return items_response(map(ssh_key_out, await users.ssh_keys(actor)))

    @routes.post("/ssh-keys")
    @operation(
        "Add an SSH public key",
        description="`publicKey` is the line of a `.pub` file; Ed25519, ECDSA, RSA from 2048 bits, and their keys in "
        "hardware tokens.",
        body=SshKeyIn,
        answers={201: SshKeyOut},
        errors=("user_required", "ssh_key_invalid", "ssh_key_exists", "ssh_keys_full"),
        idempotent=True,
    )
    async def add_key(actor: Actor) -> Response:
        asked = await read(SshKeyIn)
        key = await users.add_ssh_key(
            actor, public_key=asked.public_key, name=asked.name, idempotency=await idempotency_key(actor, _added)
        )
        return _added(key).response()

    @routes.delete("/ssh-keys/<ssh_key_id>")
    @operation("Remove an SSH public key", answers={204: None}, errors=("user_required",))
    async def remove_key(actor: Actor, ssh_key_id: SshKeyId) -> Response:
        await users.remove_ssh_key(actor, ssh_key_id)
        return no_content()

    return routes
