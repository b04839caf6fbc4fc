"""What scripts learn from a failure."""

import pytest

from spunto.client.errors import ServerUnreachable, UnexpectedAnswer, error_of
from spunto.client.following import EventsLost
from spunto.client.watching import WaitedTooLong
from spunto.core.kernel.errors import Conflict, Invalid, NotFound, SpuntoError, Unauthenticated, Unavailable
from spunto.entrypoints.cli.exits import ExitCode, exit_code_of, problem_of, sentence_of


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 4), (403, 4), (404, 3), (409, 5), (413, 1), (422, 2), (429, 6), (500, 1), (502, 6), (503, 6)],
)
def test_a_refusal_of_the_server_has_the_exit_code_of_its_status(status: int, code: int) -> None:
    assert exit_code_of(error_of(status, {}, b"")) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid("x", "x"), ExitCode.USAGE),
        (NotFound("x", "x"), ExitCode.NOT_FOUND),
        (Unauthenticated("x", "x"), ExitCode.DENIED),
        (Conflict("x", "x"), ExitCode.CONFLICT),
        (Unavailable("x", "x"), ExitCode.UNAVAILABLE),
        (ServerUnreachable("server_unreachable", "x"), ExitCode.UNAVAILABLE),
        (ServerUnreachable("request_timeout", "x"), ExitCode.TIMEOUT),
        (EventsLost(after=1, sequence=2), ExitCode.CONFLICT),
        (WaitedTooLong("wkr_1", timeout_seconds=1), ExitCode.TIMEOUT),
        (UnexpectedAnswer("unexpected_answer", "x"), ExitCode.FAILURE),
    ],
)
def test_a_failure_here_has_the_exit_code_of_its_kind(error: SpuntoError, code: ExitCode) -> None:
    assert exit_code_of(error) is code


def test_a_failure_here_is_a_problem_too() -> None:
    assert problem_of(NotFound("node_not_found", "There is no node.", id="nod_1")) == {
        "id": "nod_1",
        "type": "urn:spunto:error:node_not_found",
        "code": "node_not_found",
        "title": "Node not found",
        "detail": "There is no node.",
    }


def test_people_read_which_field_is_wrong() -> None:
    body = b'{"code": "x", "status": 422, "detail": "No.", "errors": [{"pointer": "/cpus", "message": "too many"}]}'

    assert sentence_of(error_of(422, {}, body)) == "No.\n  /cpus: too many"


def test_people_read_what_to_quote_of_a_failure_of_the_server() -> None:
    body = b'{"code": "x", "status": 500, "detail": "Bug.", "requestId": "req-1"}'

    assert sentence_of(error_of(500, {}, body)) == "Bug.\n  request req-1"
