"""The page behind an invitation's link: what it is for, and a button to join."""

from html import escape
from urllib.parse import quote

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.access.model import Actor
from spunto.core.access.service import AccessService
from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.invitations import InvitationService
from spunto.entrypoints.http.errors import status_of
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.pages import page
from spunto.entrypoints.http.requests import read_nothing
from spunto.entrypoints.serving.security import Doorkeeper, PublicAddress

INVITED = (
    """<p>You are invited to join <strong>{organization}</strong> as {role}, with the e-mail address {email}.</p>"""
)
JOIN = """<form method="post"><button>Join</button></form>"""
SIGN_IN = """<p><a href="/api/auth/login?next={here}">Sign in</a> with that address first.</p>"""
SIGNED_OUT = """<p>Sign in with that address first, then open this link again. It works once.</p>"""


def invitation_page_blueprint(
    invitations: InvitationService, access: AccessService, address: PublicAddress, *, sign_in_on: bool
) -> Blueprint:
    routes = Blueprint("invitation_page", __name__, url_prefix="/invites")
    doorkeeper = Doorkeeper(access, address)

    @routes.get("/<token>")
    @operation(
        "See the page of an invitation",
        answers={200: "text/html", 404: "text/html"},
        operation_id="getInvitationPage",
    )
    async def show(token: str) -> Response:
        try:
            preview = await invitations.preview(Secret(token))
        except SpuntoError as error:
            return _told(error)
        invited = INVITED.format(
            organization=escape(preview.organization), role=preview.role.value, email=escape(preview.email)
        )
        stranger = SIGN_IN.format(here=quote(request.path)) if sign_in_on else SIGNED_OUT
        return _page(f"{invited}\n{JOIN if await doorkeeper.knows(request.headers) else stranger}")

    @routes.post("/<token>")
    @operation(
        "Join by the button on an invitation's page",
        answers={303: None, 403: "text/html", 404: "text/html", 409: "text/html"},
        operation_id="joinByInvitationPage",
    )
    async def join(actor: Actor, token: str) -> Response | WerkzeugResponse:
        await read_nothing()
        try:
            await invitations.accept(actor, Secret(token))
        except SpuntoError as error:
            return _told(error)
        return redirect("/", 303)

    return routes


def _told(error: SpuntoError) -> Response:
    """A refusal for somebody in a browser."""
    return _page(f"<p>{escape(error.message)}</p>", status_of(error))


def _page(body: str, status: int = 200) -> Response:
    response = page("Join on Spunto", body, status)
    # The address of this page is a secret; with `no-referrer` browsers would hide the form's own origin too.
    response.headers["Referrer-Policy"] = "same-origin"
    return response
