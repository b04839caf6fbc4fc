"""A person's own secrets over HTTP: values go in, names come out."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.model import MAX_VALUE_BYTES, SecretId, UserSecret
from spunto.core.secrets.names import MAX_NAME_CHARACTERS, PATTERN
from spunto.core.secrets.service import SecretService
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page, page_response
from spunto.entrypoints.http.requests import In, read
from spunto.entrypoints.http.responses import json_response, no_content

SecretName = Annotated[str, StringConstraints(max_length=MAX_NAME_CHARACTERS, pattern=PATTERN)]


class SecretIn(In):
    name: SecretName
    value: Annotated[SecretStr, Field(min_length=1, max_length=MAX_VALUE_BYTES)]


class SecretOut(TypedDict):
    id: SecretId
    name: str
    updatedAt: datetime


class SecretsOut(TypedDict):
    items: list[SecretOut]
    nextCursor: str | None


def secret_out(secret: UserSecret) -> SecretOut:
    return {"id": secret.id, "name": secret.name, "updatedAt": secret.updated_at}


def secrets_blueprint(secrets: SecretService) -> Blueprint:
    routes = Blueprint("secrets", __name__, url_prefix="/api/users/me/secrets")

    @routes.get("")
    @operation("List the names of your secrets", query=PageQuery, answers={200: SecretsOut}, errors=("user_required",))
    async def list_all(actor: Actor) -> Response:
        return page_response(await secrets.list(actor, asked_page("sec")), secret_out)

    # No Idempotency-Key: a repeat has no second effect anyway, and a digest of a short value gives the value away.
    @routes.post("")
    @operation(
        "Create a secret, or give it another value",
        description="201 where it is new, 200 where the name was known. Workers that are made from now on have it; a "
        "value is never shown again.",
        body=SecretIn,
        answers={201: SecretOut, 200: SecretOut},
        errors=("user_required", "secret_name_reserved", "secret_value_invalid", "secrets_full"),
    )
    async def put(actor: Actor) -> Response:
        asked = await read(SecretIn)
        secret, is_new = await secrets.put(actor, name=asked.name, value=Secret(asked.value.get_secret_value()))
        return json_response(secret_out(secret), 201 if is_new else 200)

    @routes.delete("/<secret_id>")
    @operation("Delete a secret", answers={204: None}, errors=("user_required",))
    async def delete(actor: Actor, secret_id: SecretId) -> Response:
        await secrets.delete(actor, secret_id)
        return no_content()

    return routes
