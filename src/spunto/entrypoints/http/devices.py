"""Signing a terminal in: its two endpoints, and the page where a person decides."""

from datetime import datetime
from html import escape
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import StringConstraints, ValidationError
from quart import Blueprint, Response, g, redirect, request
from typing_extensions import TypedDict
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.access.model import Actor
from spunto.core.kernel.errors import Invalid, SpuntoError, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.orgs.device_sign_in import DeviceBegun, DeviceSignInService
from spunto.core.orgs.devices import DEVICE_LIFETIME, DeviceRequest
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.pages import page, refusal
from spunto.entrypoints.http.requests import In, Name, Query, query, read
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

SIGN_IN_FIRST: Final = """<p>Sign in in this browser first, by the one-time link that the server printed when it
started; then open this page again.</p>"""


class DeviceIn(In):
    client_name: Name = "a terminal"


class DeviceTokenIn(In):
    device_code: Annotated[str, StringConstraints(min_length=1, max_length=512)]


class DeviceQuery(Query):
    code: Annotated[str, StringConstraints(max_length=40)] = ""


class DecisionForm(Query):
    code: Annotated[str, StringConstraints(max_length=40)]
    decision: Literal["approve", "deny"]


class DeviceOut(TypedDict):
    deviceCode: str
    userCode: str
    verificationUri: str
    verificationUriComplete: str
    intervalSeconds: int
    expiresInSeconds: int


class DeviceTokenOut(TypedDict):
    token: str
    expiresAt: datetime


def device_out(begun: DeviceBegun, address: PublicAddress) -> DeviceOut:
    return {
        "deviceCode": begun.device_code.reveal(),
        "userCode": begun.user_code,
        "verificationUri": f"{address.url}{PAGE}",
        "verificationUriComplete": f"{address.url}{PAGE}?code={begun.user_code}",
        "intervalSeconds": begun.request.interval_seconds,
        "expiresInSeconds": int(DEVICE_LIFETIME.total_seconds()),
    }


def devices_blueprint(devices: DeviceSignInService, address: PublicAddress, gate: Gate) -> Blueprint:
    routes = Blueprint("devices", __name__, url_prefix="/api/auth/device")

    @routes.post("")
    @operation(
        "Begin to sign a terminal in",
        description=(
            "As RFC 8628 in this API's own words: show `userCode` and `verificationUri` to a person, and ask for the "
            "token with `deviceCode` every `intervalSeconds`."
        ),
        body=DeviceIn,
        answers={201: DeviceOut},
        operation_id="beginDeviceSignIn",
    )
    async def begin() -> Response:
        asked = await read(DeviceIn)
        begun = await devices.begin(
            client_name=asked.client_name, address=gate.clients.of(request.remote_addr, request.headers)
        )
        return json_response(device_out(begun, address), 201)

    @routes.post("/token")
    @operation(
        "Ask whether the terminal is signed in",
        description="The token is given once. `slow_down` makes the interval five seconds longer from then on.",
        body=DeviceTokenIn,
        answers={200: DeviceTokenOut},
        errors=("authorization_pending", "slow_down", "access_denied", "expired_token"),
        operation_id="redeemDeviceCode",
    )
    async def token() -> Response:
        asked = await read(DeviceTokenIn)
        opened = await devices.redeem(Secret(asked.device_code), request_id=g.request_id)
        out: DeviceTokenOut = {"token": opened.token.reveal(), "expiresAt": opened.session.expires_at}
        return json_response(out)

    return routes


def device_page_blueprint(
    devices: DeviceSignInService, address: PublicAddress, gate: Gate, *, sign_in_on: bool
) -> Blueprint:
    routes = Blueprint("device_page", __name__)
    routes.register_error_handler(SpuntoError, refusal)

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
