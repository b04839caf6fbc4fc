"""Secrets over HTTP, a person's own and an organization's: values go in, names come out."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints
from quart import Blueprint, Response
from typing_extensions import TypedDict

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.secret import Secret
from spunto.core.secrets.keeper import MAX_PROJECTS
from spunto.core.secrets.model import EVERYWHERE, MAX_VALUE_BYTES, OWN, Consent, SecretId, StoredSecret
from spunto.core.secrets.names import MAX_NAME_CHARACTERS, PATTERN
from spunto.core.secrets.org_service import OrganizationSecretService
from spunto.core.secrets.service import SecretService
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.paging import PageQuery, asked_page, page_response
from spunto.entrypoints.http.requests import In, read
from spunto.entrypoints.http.responses import json_response, made, no_content

SecretName = Annotated[str, StringConstraints(max_length=MAX_NAME_CHARACTERS, pattern=PATTERN)]
SecretValue = Annotated[SecretStr, Field(min_length=1, max_length=MAX_VALUE_BYTES)]
ProjectRef = Annotated[str, StringConstraints(pattern=r"^prj_[0-9a-z]{26}$")]
OwnOrProject = Annotated[str, StringConstraints(pattern=r"^(own|prj_[0-9a-z]{26})$")]
Projects = Literal["own", "all"] | Annotated[list[OwnOrProject], Field(max_length=MAX_PROJECTS)]
OrgProjects = Literal["all"] | Annotated[list[ProjectRef], Field(max_length=MAX_PROJECTS)]

_RULE = (
    "`projects` says which of your workers it enters, where their project names it: `own`, of project versions that "
    "you made, and of every project of an organization whose only member you are; a list of projects, which may hold "
    "`own`; or `all`."
)


class SecretIn(In):
    name: SecretName
    value: SecretValue
    projects: Projects | None = None


class SecretPatchIn(In):
    projects: Projects


class OrgSecretIn(In):
    name: SecretName
    value: SecretValue
    projects: OrgProjects | None = None


class OrgSecretPatchIn(In):
    projects: OrgProjects


class SecretOut(TypedDict):
    """`projects`: which workers it enters."""

    id: SecretId
    name: str
    projects: Literal["own", "all"] | list[str]
    updatedAt: datetime


class SecretsOut(TypedDict):
    items: list[SecretOut]
    nextCursor: str | None


def secret_out(secret: StoredSecret) -> SecretOut:
    return {
        "id": secret.id,
        "name": secret.name,
        "projects": _projects_out(secret.consent),
        "updatedAt": secret.updated_at,
    }


def _projects_out(consent: Consent) -> Literal["own", "all"] | list[str]:
    if consent.everywhere:
        return "all"
    if consent == OWN:
        return "own"
    return [*(["own"] if consent.own else []), *sorted(consent.project_ids)]


def _consent(projects: Literal["own", "all"] | list[str]) -> Consent:
    if projects == "all":
        return EVERYWHERE
    if projects == "own":
        return OWN
    return Consent(own="own" in projects, project_ids=frozenset(projects) - {"own"})


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
        description=f"201 where it is new, 200 where the name was known. {_RULE} A new one is `own` unless said "
        "otherwise, and a known one stays as it was. Workers that are made from now on have it; a value is never shown "
        "again.",
        body=SecretIn,
        answers={201: SecretOut, 200: SecretOut},
        errors=("user_required", "secret_name_reserved", "secret_value_invalid", "secrets_full", "stale_version"),
    )
    async def put(actor: Actor) -> Response:
        asked = await read(SecretIn)
        secret, is_new = await secrets.put(
            actor,
            name=asked.name,
            value=Secret(asked.value.get_secret_value()),
            consent=None if asked.projects is None else _consent(asked.projects),
        )
        at = f"/api/users/me/secrets/{secret.id}"
        return made(secret_out(secret), at=at) if is_new else json_response(secret_out(secret))

    @routes.patch("/<secret_id>")
    @operation(
        "Say which workers a secret enters",
        description=f"{_RULE} Workers that have it keep it.",
        body=SecretPatchIn,
        answers={200: SecretOut},
        errors=("user_required", "stale_version"),
        operation_id="updateSecret",
    )
    async def let_into(actor: Actor, secret_id: SecretId) -> Response:
        asked = await read(SecretPatchIn)
        return json_response(secret_out(await secrets.let_into(actor, secret_id, _consent(asked.projects))))

    @routes.delete("/<secret_id>")
    @operation("Delete a secret", answers={204: None}, errors=("user_required",))
    async def delete(actor: Actor, secret_id: SecretId) -> Response:
        await secrets.delete(actor, secret_id)
        return no_content()

    return routes


def org_secrets_blueprint(secrets: OrganizationSecretService) -> Blueprint:
    routes = Blueprint("org_secrets", __name__, url_prefix="/api/orgs/<org_id>/secrets")

    @routes.get("")
    @operation(
        "List the names of the organization's secrets",
        query=PageQuery,
        answers={200: SecretsOut},
        operation_id="listOrganizationSecrets",
    )
    async def list_all(actor: Actor, org_id: OrgId) -> Response:
        return page_response(await secrets.list(actor, org_id, asked_page("sec")), secret_out)

    @routes.post("")
    @operation(
        "Create a secret of the organization, or give it another value",
        description="201 where it is new, 200 where the name was known. It enters every worker, of members and of the "
        "organization's keys, of the `projects` that it is granted to and that name it: a list of them, or `all`. A "
        "new one enters none unless said otherwise, and a known one stays as it was. A value is never shown again.",
        body=OrgSecretIn,
        answers={201: SecretOut, 200: SecretOut},
        errors=("secret_name_reserved", "secret_value_invalid", "secrets_full", "stale_version"),
        operation_id="createOrganizationSecret",
    )
    async def put(actor: Actor, org_id: OrgId) -> Response:
        asked = await read(OrgSecretIn)
        secret, is_new = await secrets.put(
            actor,
            org_id,
            name=asked.name,
            value=Secret(asked.value.get_secret_value()),
            consent=None if asked.projects is None else _consent(asked.projects),
        )
        at = f"/api/orgs/{org_id}/secrets/{secret.id}"
        return made(secret_out(secret), at=at) if is_new else json_response(secret_out(secret))

    @routes.patch("/<org_secret_id>")
    @operation(
        "Say which projects' workers a secret of the organization enters",
        description="Workers that have it keep it.",
        body=OrgSecretPatchIn,
        answers={200: SecretOut},
        errors=("stale_version",),
        operation_id="updateOrganizationSecret",
    )
    async def let_into(actor: Actor, org_id: OrgId, org_secret_id: SecretId) -> Response:
        asked = await read(OrgSecretPatchIn)
        return json_response(secret_out(await secrets.let_into(actor, org_id, org_secret_id, _consent(asked.projects))))

    @routes.delete("/<org_secret_id>")
    @operation("Delete a secret of the organization", answers={204: None}, operation_id="deleteOrganizationSecret")
    async def delete(actor: Actor, org_id: OrgId, org_secret_id: SecretId) -> Response:
        await secrets.delete(actor, org_id, org_secret_id)
        return no_content()

    return routes
