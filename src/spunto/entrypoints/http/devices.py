"""Signing a terminal in: its two endpoints, and the page where a person decides."""

from html import escape
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import AfterValidator, StringConstraints, ValidationError
from quart import Blueprint, Response, g, redirect, request
from typing_extensions import TypedDict
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.access.model import Actor
from spunto.core.kernel.errors import Invalid, Malformed, NotFound, SpuntoError, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.device_sign_in import DeviceBegun, DeviceSignInService
from spunto.core.orgs.devices import DEVICE_LIFETIME, DeviceRequest
from spunto.entrypoints.http import oauth
from spunto.entrypoints.http.oauth import DEVICE, DEVICE_GRANT, Form
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.pages import NEW_LINK, page
from spunto.entrypoints.http.requests import Name, Query, query
from spunto.entrypoints.http.responses import json_response
from spunto.entrypoints.serving.limits import Gate
from spunto.entrypoints.serving.security import PublicAddress

PAGE: Final = "/device"

ASK: Final = """<p>Type the code that your terminal shows.</p>
<form method="get" action="/device">
<label>Code <input name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" autofocus></label>
<button>Go on</button>
</form>"""

DECIDE: Final = """<p>A terminal wants to be signed in as you, with all that you may do here.</p>
<dl>
<dt>It says that it is</dt><dd>{client_name}</dd>
<dt>It asks from</dt><dd>{address}</dd>
<dt>Since</dt><dd>{since}</dd>
</dl>
<p>Does it show the code <strong>{code}</strong>? If you did not begin this yourself, deny it.</p>
<form method="post" action="/device">
<input type="hidden" name="code" value="{code}">
<button name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button>
</form>"""

SIGN_IN_FIRST: Final = f"<p>{NEW_LINK}</p>"

NOBODY_TO_APPROVE: Final = (
    "No sign-in provider is set up here, so nobody could approve the code; take a token: that in `owner.token` of a "
    "box's data directory, what `spunto db owner-token` prints on the server's machine, or an API key."
)


def _printable(text: str) -> str:
    """Nothing that could make the person who reads it see something else, such as text from right to left."""
    if not text.isprintable():
        raise ValueError("Must be one line of printable characters")
    return text


OneLine = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_printable)]


class DeviceForm(Form):
    """`client_id` is any name of the program; it needs no registration, and proves nothing. `client_name` is shown to
    the person in its place."""

    client_id: OneLine
    client_name: Name | None = None
    scope: Annotated[str, StringConstraints(max_length=1000)] = ""


class DeviceTokenForm(Form):
    grant_type: Annotated[str, StringConstraints(max_length=100)]
    device_code: Annotated[str, StringConstraints(max_length=512)]
    client_id: OneLine | None = None


class DeviceQuery(Query):
    code: Annotated[str, StringConstraints(max_length=40)] = ""


class DecisionForm(Query):
    code: Annotated[str, StringConstraints(max_length=40)]
    decision: Literal["approve", "deny"]


class DeviceOut(TypedDict):
    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class DeviceTokenOut(TypedDict):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


def device_out(begun: DeviceBegun, address: PublicAddress) -> DeviceOut:
    return {
        "device_code": begun.device_code.reveal(),
        "user_code": begun.user_code,
        "verification_uri": f"{address.url}{PAGE}",
        "verification_uri_complete": f"{address.url}{PAGE}?code={begun.user_code}",
        "expires_in": int(DEVICE_LIFETIME.total_seconds()),
        "interval": begun.request.interval_seconds,
    }


def devices_blueprint(
    devices: DeviceSignInService, address: PublicAddress, gate: Gate, *, sign_in_on: bool
) -> Blueprint:
    routes = Blueprint("devices", __name__, url_prefix=DEVICE)
    routes.register_error_handler(SpuntoError, oauth.refusal)

    @routes.post("")
    @operation(
        "Begin to sign a terminal in",
        description=(
            "RFC 8628: show `user_code` and `verification_uri` to a person, and ask for the token with `device_code` "
            "every `interval` seconds. There are no scopes: the terminal may do what its user may."
        ),
        form=DeviceForm,
        answers={200: DeviceOut},
        errors=("invalid_scope", "sign_in_off"),
        as_oauth=True,
        operation_id="beginDeviceSignIn",
    )
    async def begin() -> Response:
        asked = await oauth.read_form(DeviceForm)
        if asked.scope:
            raise Malformed("invalid_scope", "There are no scopes here; leave `scope` out.")
        if not sign_in_on:
            raise NotFound("sign_in_off", NOBODY_TO_APPROVE)
        begun = await devices.begin(
            client_name=asked.client_name or asked.client_id,
            address=gate.clients.of(request.remote_addr, request.headers),
        )
        return json_response(device_out(begun, address))

    @routes.post("/token")
    @operation(
        "Ask whether the terminal is signed in",
        description=(
            "The token is given once. After `slow_down` the interval is five seconds longer. `client_id` may be left "
            "out."
        ),
        form=DeviceTokenForm,
        answers={200: DeviceTokenOut},
        errors=("unsupported_grant_type", "authorization_pending", "slow_down", "access_denied", "expired_token"),
        as_oauth=True,
        operation_id="redeemDeviceCode",
    )
    async def token() -> Response:
        asked = await oauth.read_form(DeviceTokenForm)
        if asked.grant_type != DEVICE_GRANT:
            raise Malformed("unsupported_grant_type", f"The only `grant_type` here is {DEVICE_GRANT}.")
        opened = await devices.redeem(Secret(asked.device_code), request_id=g.request_id)
        session = opened.session
        out: DeviceTokenOut = {
            "access_token": opened.token.reveal(),
            "token_type": "Bearer",
            "expires_in": int((session.expires_at - session.created_at).total_seconds()),
        }
        return json_response(out)

    return routes


def device_page_blueprint(
    devices: DeviceSignInService, address: PublicAddress, gate: Gate, *, sign_in_on: bool
) -> Blueprint:
    routes = Blueprint("device_page", __name__)

    @routes.get(PAGE)
    @operation(
        "See the page that signs a terminal in",
        query=DeviceQuery,
        answers={200: "text/html", 303: None},
        errors=("device_code_not_found",),
        operation_id="getDevicePage",
    )
    async def show() -> Response | WerkzeugResponse:
        code = query(DeviceQuery).code.strip().upper()
        try:
            actor = await gate.doorkeeper.admit(request.headers, method="GET", request_id="")
        except Unauthenticated:
            if not sign_in_on:
                return page("Sign a terminal in", SIGN_IN_FIRST)
            here = f"{PAGE}?code={quote(code, safe='')}" if code else PAGE
            return redirect(f"/api/auth/login?next={quote(here, safe='')}", 303)
        if not code:
            return page("Sign a terminal in", ASK)
        return page("Sign a terminal in", _question(await devices.asked(actor, code), code))

    @routes.post(PAGE)
    @operation(
        "Approve or deny a terminal, by the form of that page",
        form=DecisionForm,
        answers={200: "text/html"},
        errors=("device_code_not_found",),
        operation_id="decideDevice",
    )
    async def decide(actor: Actor) -> Response:
        asked = await _form()
        if asked.decision == "deny":
            await devices.deny(actor, asked.code)
            return page("Denied", "<p>The terminal was not signed in.</p>")
        await devices.approve(actor, asked.code)
        return page("Approved", "<p>The terminal is signed in. You can close this page.</p>")

    return routes


def _question(asked: DeviceRequest, code: str) -> str:
    since = f"{asked.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return DECIDE.format(
        client_name=escape(asked.client_name), address=escape(asked.address), since=since, code=escape(code)
    )


async def _form() -> DecisionForm:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType
    given = (await request.form).to_dict()
    try:
        return DecisionForm.model_validate(given)
    except ValidationError as error:
        raise Invalid("invalid_request", "Approve or deny by the buttons of the page.") from error
