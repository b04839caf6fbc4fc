"""What goes out: JSON by orjson, without validation, because it was ours."""

from typing import Any, Final

import orjson
from quart import Response

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def json_response(body: Any, status: int = 200) -> Response:
    return Response(json_bytes(body), status, content_type="application/json")


def no_content() -> Response:
    response = Response(b"", 204)
    # There is no content to have a type or a length.
    response.headers.remove("Content-Type")
    response.headers.remove("Content-Length")
    return response


def json_bytes(body: Any) -> bytes:
    return orjson.dumps(body, option=_OPTIONS)
