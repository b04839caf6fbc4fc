"""Signing in at the provider: the way there, and the way back."""

from typing import Final
from urllib.parse import urlencode

import structlog
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel
from quart import Blueprint, g, redirect, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.kernel.errors import Forbidden
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.flow import FLOW_LIFETIME, Flow, flow_in
from spunto.core.orgs.sign_in import Callback, SignInService
from spunto.entrypoints.http.cookies import (
    old_session_of,
    require_cookies_are_safe,
    with_cookie,
    with_session,
    without_cookie,
)
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.redirects import safe_next
from spunto.entrypoints.http.requests import Query, query
from spunto.entrypoints.serving.security import PublicAddress, cookies_named

LOGIN: Final = "/api/auth/login"
ENTER: Final = "/api/auth/worker"
"""Where an edge sends browsers that it does not know, and where they come back to when they are signed in."""
CALLBACK: Final = "/api/auth/callback"

PRIVATE: Final = (
    "This port is private. Ask the worker's owner to share it with you or for a link; who may enter it already "
    "signs in at the front page first."
)

log = structlog.get_logger()


class LoginQuery(Query):
    next: str | None = None


class CallbackQuery(Query):
    """Providers add what they like; Google tells of scopes, accounts and prompts."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)

    state: str = ""
    code: str | None = None
    error: str | None = None
    iss: str | None = None


def sign_in_blueprint(sign_in: SignInService, address: PublicAddress) -> Blueprint:
    routes = Blueprint("sign_in", __name__, url_prefix="/api/auth")
    redirect_uri = f"{address.url}{CALLBACK}"

    @routes.get("/login")
    @operation(
        "Sign a browser in at the OpenID Connect provider",
        description="Leads to the provider (303), which leads back. `next` is the path to go on to afterwards.",
        query=LoginQuery,
        answers={303: None},
        errors=("port_private", "sign_in_off", "https_required", "provider_unavailable"),
        operation_id="beginSignIn",
    )
    async def login() -> WerkzeugResponse:
        require_cookies_are_safe(address)
        next_path = safe_next(query(LoginQuery).next)
        if address.is_other_name(request.host):
            # The provider leads back to the name that it knows, where this one's cookie would be missing.
            return redirect(f"{address.url}{LOGIN}?{urlencode({'next': next_path})}", 303)
        if not sign_in.is_on and next_path.startswith(ENTER):
            raise Forbidden("port_private", PRIVATE)
        begun = await sign_in.begin(next_path, redirect_uri=redirect_uri)
        cookie = begun.flow.to_cookie().reveal()
        return with_cookie(redirect(begun.url, 303), address, address.flow_cookie_name, cookie, lifetime=FLOW_LIFETIME)

    @routes.get("/callback")
    @operation(
        "Come back from the provider",
        description="Opens a session, and ends the one that the browser had. Browsers get a page where it fails.",
        query=CallbackQuery,
        answers={303: None},
        errors=(
            "sign_in_off",
            "sign_in_not_begun",
            "sign_in_refused",
            "sign_in_cancelled",
            "identity_not_good",
            "email_missing",
            "email_not_verified",
            "email_verification_unsaid",
            "email_taken",
            "domain_not_allowed",
            "provider_unavailable",
        ),
        operation_id="finishSignIn",
    )
    async def callback() -> WerkzeugResponse:
        # A link preview asks with HEAD, and must not use the code up.
        if request.method == "HEAD":
            raise MethodNotAllowed(["GET"])
        flow, came = _flow_of(address), _callback()
        old = old_session_of(request.headers, address)
        opened = await sign_in.finish(flow, came, redirect_uri=redirect_uri, replacing=old, request_id=g.request_id)
        log.info("signed_in", user=opened.session.user_id, session=opened.session.id)
        next_path = "/" if flow is None else safe_next(flow.next_path)
        answer = without_cookie(redirect(next_path, 303), address, address.flow_cookie_name)
        return with_session(answer, address, opened.token)

    return routes


def _flow_of(address: PublicAddress) -> Flow | None:
    found = cookies_named(request.headers, address.flow_cookie_name)
    return flow_in(found[0]) if len(found) == 1 else None


def _callback() -> Callback:
    came = query(CallbackQuery)
    code = None if came.code is None else Secret(came.code)
    return Callback(state=came.state, code=code, error=came.error, issuer=came.iss)
