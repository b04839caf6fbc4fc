"""What a failure means to a script: one exit code for each kind, as listed in docs/cli.md."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from spunto.client.errors import BadCredential, NotAllowed, ServerUnreachable, SpuntoApiError
from spunto.client.following import EventsLost
from spunto.client.watching import WaitedTooLong
from spunto.core.kernel.errors import Conflict, Forbidden, Invalid, NotFound, SpuntoError, Unauthenticated, Unavailable
from spunto.entrypoints.cli.field_words import field_words


class ExitCode(IntEnum):
    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    CONFLICT = 5
    UNAVAILABLE = 6
    TIMEOUT = 124
    INTERRUPTED = 130
    TERMINATED = 143


_OF_STATUS: Mapping[int, ExitCode] = {
    400: ExitCode.USAGE,
    401: ExitCode.DENIED,
    403: ExitCode.DENIED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    422: ExitCode.USAGE,
    429: ExitCode.UNAVAILABLE,
    502: ExitCode.UNAVAILABLE,
    503: ExitCode.UNAVAILABLE,
    504: ExitCode.UNAVAILABLE,
}

_OF_FIELDS: Final = frozenset({"invalid_request", "invalid_query"})

_OF_CLASS: Mapping[type[SpuntoError], ExitCode] = {
    Invalid: ExitCode.USAGE,
    NotFound: ExitCode.NOT_FOUND,
    Unauthenticated: ExitCode.DENIED,
    Forbidden: ExitCode.DENIED,
    Conflict: ExitCode.CONFLICT,
    Unavailable: ExitCode.UNAVAILABLE,
    ServerUnreachable: ExitCode.UNAVAILABLE,
    WaitedTooLong: ExitCode.TIMEOUT,
    EventsLost: ExitCode.CONFLICT,
}


def exit_code_of(error: SpuntoError) -> ExitCode:
    # Also where OAuth answers by a 400.
    if isinstance(error, NotAllowed | BadCredential):
        return ExitCode.DENIED
    if isinstance(error, SpuntoApiError):
        return _OF_STATUS.get(error.status, ExitCode.FAILURE)
    if error.code == "request_timeout":
        return ExitCode.TIMEOUT
    return next((_OF_CLASS[kind] for kind in type(error).__mro__ if kind in _OF_CLASS), ExitCode.FAILURE)


def problem_of(error: SpuntoError) -> dict[str, Any]:
    """The failure for programs: the server's own problem, or one in its shape."""
    if isinstance(error, SpuntoApiError):
        return error.problem.to_wire()
    return local_problem(error.code, error.message, **error.fields)


def local_problem(code: str, detail: str, **fields: Any) -> dict[str, Any]:
    title = code.replace("_", " ").capitalize()
    return {**fields, "type": f"urn:spunto:error:{code}", "code": code, "title": title, "detail": detail}


def sentence_of(error: SpuntoError) -> str:
    """The failure for people, in a line: what is wrong, where, and what to quote when asking for help."""
    if not isinstance(error, SpuntoApiError):
        return error.message
    where = "; ".join(field_words(fault) for fault in error.errors)
    # That some fields are wrong is said by naming them.
    said = f"{where}." if where and error.code in _OF_FIELDS else f"{error.detail} {where}".rstrip()
    return f"{said} (request {error.request_id})" if error.status >= 500 and error.request_id else said
