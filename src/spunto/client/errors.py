"""What can go wrong between the client and a server, as exceptions that carry what the server said."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from spunto.client.wire import WireModel
from spunto.core.kernel.errors import SpuntoError


class FieldError(WireModel):
    """One wrong field of a request; `pointer` is a JSON pointer into its body."""

    pointer: str = ""
    message: str = ""


class Problem(WireModel):
    """RFC 9457, with a stable `code`."""

    type: str = "about:blank"
    code: str
    title: str = ""
    status: int
    detail: str = ""
    instance: str | None = None
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()


class SpuntoApiError(SpuntoError):
    """The server refused. `problem` is its answer as it came; programs decide by `code`, people read `detail`."""

    def __init__(self, problem: Problem, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem.code, problem.detail or problem.title)
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def detail(self) -> str:
        return self.message

    @property
    def request_id(self) -> str | None:
        return self.problem.request_id

    @property
    def errors(self) -> Sequence[FieldError]:
        return self.problem.errors


class BadCredential(SpuntoApiError):
    """401: no token, or one that is not good (any more)."""


class NotAllowed(SpuntoApiError):
    """403: known, but not allowed to do this."""


class NotThere(SpuntoApiError):
    """404: unknown, or in an organization that the token's owner doesn't belong to."""


class StateConflict(SpuntoApiError):
    """409: the present state doesn't allow it."""


class ChangedMeanwhile(StateConflict):
    """412: it is not any more what the `etag` given as `if_match` names."""


class InvalidRequest(SpuntoApiError):
    """400 or 422: the request can't be read, or asks for something impossible; `errors` says where."""


class TooManyRequests(SpuntoApiError):
    """429: try again after `retry_after_seconds`."""


class NotNow(SpuntoApiError):
    """503: a node, an engine or the database can't answer now."""


class ServerUnreachable(SpuntoError):
    """No answer came. `code` is `server_unreachable`, `answer_lost` or `request_timeout`."""


class UnexpectedAnswer(SpuntoError):
    """An answer came that is none of Spunto's: a wrong URL, a proxy in between, or a server of another age."""


_CLASSES: Mapping[int, type[SpuntoApiError]] = {
    400: InvalidRequest,
    401: BadCredential,
    403: NotAllowed,
    404: NotThere,
    409: StateConflict,
    412: ChangedMeanwhile,
    422: InvalidRequest,
    429: TooManyRequests,
    503: NotNow,
}


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> SpuntoApiError:
    """The exception for an answer that is not a success, also where a proxy wrote its body."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = Problem(
            code=f"http_{status}", title=f"HTTP {status}", status=status, detail=f"The server answered HTTP {status}."
        )
    # The status line is the truth; a body that says otherwise was not written for this answer.
    changes: dict[str, Any] = {"status": status, "request_id": problem.request_id or headers.get("x-request-id")}
    return _CLASSES.get(status, SpuntoApiError)(
        problem.model_copy(update=changes), retry_after_seconds=_retry_after_seconds(headers)
    )


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
