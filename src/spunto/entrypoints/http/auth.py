"""Signing in by a one-time link, and out."""

from datetime import timedelta
from typing import Final, TypeVar

from quart import Blueprint, Response, redirect, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.access.model import Actor
from spunto.core.access.service import SESSION_LIFETIME, AccessService
from spunto.core.kernel.errors import Forbidden
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.http.requests import Query, query, read_nothing
from spunto.entrypoints.http.responses import json_response, no_content
from spunto.entrypoints.security import PublicAddress

A = TypeVar("A", Response, WerkzeugResponse)
NO_LIFETIME: Final = timedelta()


class BootstrapQuery(Query):
    code: str


def auth_blueprint(access: AccessService, address: PublicAddress) -> Blueprint:
    routes = Blueprint("auth", __name__, url_prefix="/api/auth")

    @routes.get("/bootstrap")
    async def bootstrap() -> WerkzeugResponse:
        # A link preview asks with HEAD, and must not use the code up.
        if request.method == "HEAD":
            raise MethodNotAllowed(["GET"])
        _require_cookie_is_safe(address)
        opened = await access.redeem(Secret(query(BootstrapQuery).code))
        return _with_cookie(redirect("/", 303), address, opened.token, lifetime=SESSION_LIFETIME)

    @routes.post("/logout")
    async def logout(actor: Actor) -> Response | WerkzeugResponse:
        await read_nothing()
        await access.revoke(actor)
        # The form on our own page goes back to it; programs get an empty answer.
        if "text/html" in request.headers.get("Accept", ""):
            return _with_cookie(redirect("/", 303), address, Secret(""), lifetime=NO_LIFETIME)
        return _with_cookie(no_content(), address, Secret(""), lifetime=NO_LIFETIME)

    @routes.get("/session")
    async def session(actor: Actor) -> Response:
        return json_response(
            {
                "userId": actor.user_id,
                "kind": actor.kind,
                "organizations": [{"id": org_id, "role": role} for org_id, role in sorted(actor.roles.items())],
            }
        )

    return routes


def _with_cookie(answer: A, address: PublicAddress, token: Secret, *, lifetime: timedelta) -> A:
    answer.set_cookie(
        address.cookie_name,
        token.reveal(),
        max_age=lifetime,
        path="/",
        secure=address.is_https,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _require_cookie_is_safe(address: PublicAddress) -> None:
    if not (address.is_https or address.is_loopback):
        raise Forbidden(
            "https_required", "Signing in by browser needs https or localhost; use a token as Bearer, or set up TLS."
        )
