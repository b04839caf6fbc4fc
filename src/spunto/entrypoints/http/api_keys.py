"""API keys over HTTP; a token is shown in the answer that makes it, and never again."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, Field
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.api_keys import ApiKey, OwnerType
from spunto.core.access.model import Actor, ApiKeyId, OrgId, UserId
from spunto.core.access.policy import Scope
from spunto.core.orgs.api_keys import UNSAID, ApiKeyService, KeyWithToken
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page, page_response
from spunto.entrypoints.http.requests import In, Name, idempotency_key, read
from spunto.entrypoints.http.responses import made, no_content

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII | re.IGNORECASE
)


def _instant(value: Any) -> datetime:
    """A number would be read as seconds, and the far ends of the calendar can't be told in UTC."""
    if not isinstance(value, str) or not _RFC_3339.match(value):
        raise ValueError("Input should be a time in RFC 3339, such as 2030-01-31T00:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Input should be a time that has a year in UTC") from error


def _without_default(schema: dict[str, Any]) -> None:
    """An absent field does not mean null."""
    schema.pop("default")


class ApiKeyIn(In):
    name: Name
    owner_type: Annotated[OwnerType, Field(strict=False)] = OwnerType.USER
    scopes: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=len(Scope))]
    expires_at: Annotated[AwareDatetime, BeforeValidator(_instant)] | None = Field(
        default=None,
        description="null: never, for owners alone. Without it the key ends after 90 days.",
        json_schema_extra=_without_default,
    )


class ApiKeyOut(TypedDict):
    id: ApiKeyId
    name: str
    ownerType: OwnerType
    userId: UserId | None
    createdBy: UserId
    scopes: list[Scope]
    prefix: str
    createdAt: datetime
    expiresAt: datetime | None
    lastUsedAt: datetime | None


class ApiKeyWithTokenOut(ApiKeyOut):
    token: str


class ApiKeysOut(TypedDict):
    items: list[ApiKeyOut]
    nextCursor: str | None


def api_key_out(key: ApiKey) -> ApiKeyOut:
    return {
        "id": key.id,
        "name": key.name,
        "ownerType": key.owner_type,
        "userId": key.user_id,
        "createdBy": key.created_by,
        "scopes": sorted(key.scopes),
        "prefix": key.prefix,
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "lastUsedAt": key.last_used_at,
    }


def with_token_out(made: KeyWithToken) -> ApiKeyWithTokenOut:
    return {**api_key_out(made.key), "token": made.token.reveal()}


def api_keys_blueprint(api_keys: ApiKeyService) -> Blueprint:
    routes = Blueprint("api_keys", __name__, url_prefix="/api/orgs/<org_id>/api-keys")

    @routes.get("")
    @operation(
        "List API keys",
        description="Members see their own keys, admins all of them. Revoked keys are not shown.",
        query=PageQuery,
        answers={200: ApiKeysOut},
    )
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await api_keys.list(actor, org_id, asked_page("key")), api_key_out)

    @routes.post("")
    @operation(
        "Create an API key",
        description=(
            "The answer shows the token, this once: only its hash is kept. A key may do what its scopes say and its "
            "owner may do now. A key of the organization (`ownerType: org`, for admins) acts as an admin and survives "
            "whoever made it. Keys live 90 days, or until `expiresAt`; for more than 366 days, or for ever (`null`), "
            "where an owner says so. Since the token is not kept, a repeat with the same Idempotency-Key is refused "
            "with the `id` of the key that the first request made."
        ),
        body=ApiKeyIn,
        answers={201: ApiKeyWithTokenOut},
        errors=("role_required", "expiry_passed", "token_not_repeatable"),
        idempotent=True,
    )
    async def create(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(ApiKeyIn)
        new = await api_keys.create(
            actor,
            org_id,
            name=asked.name,
            owner_type=asked.owner_type,
            scopes=frozenset(asked.scopes),
            expires_at=asked.expires_at if "expires_at" in asked.model_fields_set else UNSAID,
            idempotency=await idempotency_key(actor),
        )
        return made(with_token_out(new), at=f"/api/orgs/{org_id}/api-keys/{new.key.id}")

    @routes.delete("/<key_id>")
    @operation(
        "Revoke an API key",
        description="It is refused from then on, and what was opened with it closes within seconds.",
        answers={204: None},
        errors=("api_key_not_found", "not_owner"),
    )
    async def revoke(actor: Actor, org_id: OrgId, key_id: ApiKeyId) -> Response:
        await api_keys.revoke(actor, org_id, key_id)
        return no_content()

    return routes
