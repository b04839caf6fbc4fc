"""Signing in and out, for the client: the device code of RFC 8628, for programs without a browser of their own."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, SecretStr

from spunto.client.api import Api, parsed
from spunto.client.errors import BadCredential, NotAllowed, NotNow, ServerUnreachable, SpuntoApiError
from spunto.client.retry import Repeat
from spunto.client.wire import WireModel
from spunto.core.kernel.clock import Clock


class DeviceCode(WireModel):
    """What a terminal is signed in by: the one code is its own, the other one a person's."""

    # OAuth's names are not those of the other answers.
    device_code: Annotated[SecretStr, Field(alias="device_code")]
    user_code: Annotated[str, Field(alias="user_code")]
    verification_uri: Annotated[str, Field(alias="verification_uri")]
    verification_uri_complete: Annotated[str, Field(alias="verification_uri_complete")]
    interval_seconds: Annotated[int, Field(alias="interval")] = 5
    expires_in_seconds: Annotated[int, Field(alias="expires_in")] = 600


class SignedIn(WireModel):
    token: Annotated[SecretStr, Field(alias="access_token")]
    expires_in_seconds: Annotated[int, Field(alias="expires_in")]


class IdentityOrganization(WireModel):
    id: str
    role: str


class Identity(WireModel):
    """Whom a token stands for. `scopes` is None for a session, which may do all that its user may."""

    kind: str
    user_id: str | None = None
    api_key_id: str | None = None
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    organizations: tuple[IdentityOrganization, ...] = ()


CLIENT_ID: Final = "spunto"
# As RFC 8628 has it, 3.5.
SLOWER_SECONDS: Final = 5.0
_DEVICE = "/api/auth/device"
# OAuth answers all of them by 400; here each is what it would be elsewhere.
_FINAL: Final = {"access_denied": NotAllowed, "expired_token": BadCredential}
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Auth:
    def __init__(self, api: Api, *, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def begin_device(self, client_name: str) -> DeviceCode:
        """Codes to be signed in by; show `user_code` and `verification_uri` to a person. Needs no token."""
        form = {"client_id": CLIENT_ID, "client_name": client_name}
        return parsed(DeviceCode, await self._api.request("POST", _DEVICE, form=form))

    async def wait_for_device(self, code: DeviceCode) -> SignedIn:
        """Ask until a person has approved, as often as the server wants it.

        Raises NotAllowed `access_denied`, and BadCredential `expired_token`, after `code.expires_in_seconds` at the
        latest.
        """
        interval_seconds = float(code.interval_seconds)
        ends_at = self._clock.monotonic() + code.expires_in_seconds
        asked = {
            "grant_type": _DEVICE_GRANT,
            "client_id": CLIENT_ID,
            "device_code": code.device_code.get_secret_value(),
        }
        while True:
            await self._clock.sleep(interval_seconds)
            try:
                answer = await self._api.request(
                    "POST",
                    f"{_DEVICE}/token",
                    form=asked,
                    repeat=Repeat.UNSENT,
                )
                return parsed(SignedIn, answer)
            except SpuntoApiError as error:
                if error.code == "slow_down":
                    interval_seconds += SLOWER_SECONDS
                elif error.code == "rate_limited":
                    interval_seconds = max(interval_seconds, error.retry_after_seconds or 0.0)
                elif error.code in _FINAL:
                    raise _FINAL[error.code](error.problem) from error
                elif error.code != "authorization_pending" and not isinstance(error, NotNow):
                    raise
                if self._clock.monotonic() > ends_at:
                    raise
            except ServerUnreachable:
                # The person may be typing while the server restarts.
                if self._clock.monotonic() > ends_at:
                    raise

    async def sign_out(self, *, everywhere: bool = False) -> None:
        """End the token's session, or with `everywhere` every session of its user."""
        path = "/api/auth/logout?everywhere=true" if everywhere else "/api/auth/logout"
        await self._api.request("POST", path, repeat=Repeat.REFUSED)
