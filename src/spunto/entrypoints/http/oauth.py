"""OAuth 2.0's own manners, so that its libraries can sign programs in: forms go in, and refusals have an `error`."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import ConfigDict, ValidationError
from quart import Blueprint, Response, request
from typing_extensions import TypedDict
from werkzeug.exceptions import UnsupportedMediaType

from spunto.core.kernel.errors import Malformed, SpuntoError
from spunto.entrypoints.http.errors import problem_response
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.requests import Query
from spunto.entrypoints.http.responses import json_response
from spunto.entrypoints.serving.security import PublicAddress

FORM: Final = "application/x-www-form-urlencoded"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
DEVICE: Final = "/api/auth/device"
METADATA: Final = "/.well-known/oauth-authorization-server"
MAX_FIELDS: Final = 32
# What OAuth calls by a name of its own.
_ERRORS: Final[Mapping[str, str]] = {"invalid_form": "invalid_request", "rate_limited": "slow_down"}

FormT = TypeVar("FormT", bound="Form")


class Form(Query):
    """snake_case, as OAuth has it; what it does not know is ignored (RFC 6749, 3.2)."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=None)


class MetadataOut(TypedDict):
    issuer: str
    device_authorization_endpoint: str
    token_endpoint: str
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    response_types_supported: list[str]


def metadata_blueprint(address: PublicAddress) -> Blueprint:
    routes = Blueprint("oauth_metadata", __name__)

    @routes.get(METADATA)
    @operation(
        "Tell OAuth libraries where terminals are signed in",
        description="The metadata of RFC 8414.",
        answers={200: MetadataOut},
        operation_id="getOauthMetadata",
    )
    async def metadata() -> Response:
        told: MetadataOut = {
            "issuer": address.url,
            "device_authorization_endpoint": f"{address.programs_url}{DEVICE}",
            "token_endpoint": f"{address.programs_url}{DEVICE}/token",
            "grant_types_supported": [DEVICE_GRANT],
            "token_endpoint_auth_methods_supported": ["none"],
            "response_types_supported": [],
        }
        return json_response(told)

    return routes


async def read_form(model: type[FormT]) -> FormT:
    """The body as the model. Raises Malformed `invalid_form`, and the framework's 413, 415 and 408."""
    raw = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    if request.mimetype != FORM:
        raise UnsupportedMediaType
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise _invalid_form("It can't be read.") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise _invalid_form("Each field may come only once.")
    try:
        # A field without a value counts as one that was left out.
        return model.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        faults = (f"{each['loc'][0] if each['loc'] else 'form'}: {each['msg']}" for each in error.errors())
        raise _invalid_form(f"{'; '.join(faults)}.") from error


async def refusal(error: SpuntoError) -> Response:
    """The problem, with OAuth's fields beside its own, and as the media type that OAuth's libraries insist on."""
    answer = await problem_response(error)
    body: dict[str, Any] = orjson.loads(await answer.get_data(as_text=False))
    body |= {"error": _ERRORS.get(error.code, error.code), "error_description": error.message}
    answer.set_data(orjson.dumps(body))
    answer.content_type = "application/json"
    return answer


def _invalid_form(reason: str) -> Malformed:
    return Malformed("invalid_form", f"The form is not as it should be. {reason}")
