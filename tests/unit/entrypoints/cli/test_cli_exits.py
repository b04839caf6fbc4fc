"""What scripts learn from a failure."""

import json

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

    assert sentence_of(error_of(422, {}, body)) == "No. cpus: too many"


def test_people_read_what_to_quote_of_a_failure_of_the_server() -> None:
    body = b'{"code": "x", "status": 500, "detail": "Bug.", "requestId": "req-1"}'

    assert sentence_of(error_of(500, {}, body)) == "Bug. (request req-1)"


@pytest.mark.parametrize(
    ("pointer", "message", "said"),
    [
        ("/idleTimeoutSeconds", "Input should be greater than or equal to 60", "idle-timeout: at least 1m."),
        ("/idleTimeoutSeconds", "Input should be less than or equal to 2592000", "idle-timeout: at most 30d."),
        ("/seconds", "Input should be less than or equal to 86400", "for: at most 1d."),
        ("/expiresInSeconds", "Input should be less than or equal to 2592000", "for: at most 30d."),
        ("/memoryBytes", "Input should be greater than or equal to 16777216", "memory: at least 16 MiB."),
        ("/cpus", "Input should be greater than or equal to 0.01", "cpus: at least 0.01."),
        ("/tags/0", "This is not a valid tags.", "tag: This is not a valid tags."),
        ("/env/a b", "This is not a valid name.", "env a b: This is not a valid name."),
        ("/postCreate", "Input should be a valid string", "post-create: should be a valid string."),
        ("", "41 fields are not what they should be.", "41 fields are not what they should be."),
    ],
)
def test_a_wrong_field_is_told_in_the_words_of_its_option(pointer: str, message: str, said: str) -> None:
    problem = {
        "code": "invalid_request",
        "status": 422,
        "detail": "Some fields are not what they should be; see `errors`.",
        "errors": [{"pointer": pointer, "message": message}],
    }

    assert sentence_of(error_of(422, {}, json.dumps(problem).encode())) == said
