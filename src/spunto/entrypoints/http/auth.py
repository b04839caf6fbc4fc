"""Signing in by a one-time link, and out."""

from datetime import datetime

from quart import Blueprint, Response, g, redirect, request
from typing_extensions import TypedDict
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.access.model import Actor, ActorKind, ApiKeyId, OrgId, UserId
from spunto.core.access.policy import Role, Scope
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.sessions import SessionService
from spunto.entrypoints.http.cookies import old_session_of, require_cookies_are_safe, with_session, without_session
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.requests import Nothing, Query, query, read_nothing
from spunto.entrypoints.http.responses import json_response, no_content
from spunto.entrypoints.serving.security import PublicAddress


class BootstrapQuery(Query):
    code: str


class LogoutQuery(Query):
    everywhere: bool = False


class SessionOrganizationOut(TypedDict):
    id: OrgId
    role: Role


class SessionOut(TypedDict):
    userId: UserId | None
    apiKeyId: ApiKeyId | None
    kind: ActorKind
    scopes: list[Scope] | None
    expiresAt: datetime | None
    organizations: list[SessionOrganizationOut]


def session_out(actor: Actor) -> SessionOut:
    return {
        "userId": actor.user_id,
        "apiKeyId": actor.api_key_id,
        "kind": actor.kind,
        "scopes": None if actor.scopes is None else sorted(actor.scopes),
        "expiresAt": actor.expires_at,
        "organizations": [{"id": org_id, "role": role} for org_id, role in sorted(actor.roles.items())],
    }


def auth_blueprint(sessions: SessionService, address: PublicAddress) -> Blueprint:
    routes = Blueprint("auth", __name__, url_prefix="/api/auth")

    @routes.get("/bootstrap")
    @operation(
        "Sign a browser in by the link that the server printed",
        description="The code is good once, within ten minutes. A session that the browser had ends.",
        query=BootstrapQuery,
        answers={303: None},
        errors=("code_not_good", "https_required"),
        operation_id="signInWithCode",
    )
    async def bootstrap() -> WerkzeugResponse:
        # A link preview asks with HEAD, and must not use the code up.
        if request.method == "HEAD":
            raise MethodNotAllowed(["GET"])
        require_cookies_are_safe(address)
        opened = await sessions.redeem(
            Secret(query(BootstrapQuery).code),
            replacing=old_session_of(request.headers, address),
            request_id=g.request_id,
        )
        return with_session(redirect("/", 303), address, opened.token)

    @routes.post("/logout")
    @operation(
        "Sign out",
        description=(
            "Ends the session that the request came with, or with `everywhere` every session of its user. "
            "What was open by them closes within seconds. A form on our own page is led back to it (303)."
        ),
        query=LogoutQuery,
        body=Nothing,
        answers={204: None, 303: None},
        operation_id="signOut",
    )
    async def logout(actor: Actor) -> Response | WerkzeugResponse:
        asked = query(LogoutQuery)
        await read_nothing()
        await (sessions.end_everywhere(actor) if asked.everywhere else sessions.end(actor))
        # The form on our own page goes back to it; programs get an empty answer.
        if "text/html" in request.headers.get("Accept", ""):
            return without_session(redirect("/", 303), address)
        return without_session(no_content(), address)

    @routes.get("/session")
    @operation(
        "Say who is asking",
        description=(
            "`kind` is `user` for a session, which has no scopes, and `api_key` for a key; every key may ask this. "
            "A session ends at `expiresAt` at the latest, by idleness sooner."
        ),
        answers={200: SessionOut},
        operation_id="getSession",
    )
    async def session(actor: Actor) -> Response:
        return json_response(session_out(actor))

    return routes
