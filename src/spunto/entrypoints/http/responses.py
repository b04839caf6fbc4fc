"""What goes out: JSON by orjson, without validation, because it was ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from quart import Response

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that can be kept, and given again as it was."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        return Response(json_bytes(self.body), self.status, dict(self.headers), content_type="application/json")

    def to_bytes(self) -> bytes:
        return json_bytes({"status": self.status, "headers": self.headers, "body": self.body})


def reply_again(kept: bytes) -> Reply:
    """The reply that `Reply.to_bytes` wrote."""
    said = orjson.loads(kept)
    return Reply(said["body"], said["status"], said["headers"])


def json_response(body: Any, status: int = 200) -> Response:
    return bytes_response(json_bytes(body), status)


def bytes_response(body: bytes, status: int = 200) -> Response:
    """Of what `json_bytes` made."""
    return Response(body, status, content_type="application/json")


def made(body: Any, *, at: str) -> Response:
    """201 with what was made, and where it is from now on."""
    return Reply(body, 201, {"Location": at}).response()


def no_content() -> Response:
    response = Response(b"", 204)
    # There is no content to have a type or a length.
    response.headers.remove("Content-Type")
    response.headers.remove("Content-Length")
    return response


def json_bytes(body: Any) -> bytes:
    return orjson.dumps(body, option=_OPTIONS)
