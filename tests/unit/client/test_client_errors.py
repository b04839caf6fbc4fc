"""Refusals as exceptions."""

import pytest

from spunto.client.errors import (
    BadCredential,
    FieldError,
    InvalidRequest,
    NotAllowed,
    NotNow,
    NotThere,
    SpuntoApiError,
    StateConflict,
    TooManyRequests,
    error_of,
)

PROBLEM = b"""{"type": "urn:spunto:error:no_node_available", "code": "no_node_available", "title": "No node",
"status": 409, "detail": "No node fits.", "requestId": "req-1", "nodes": {"local": "too small"},
"errors": [{"pointer": "/cpus", "message": "too many"}]}"""


def test_a_problem_keeps_all_that_the_server_said() -> None:
    error = error_of(409, {}, PROBLEM)

    assert isinstance(error, StateConflict)
    assert (error.status, error.code, error.detail, error.request_id) == (
        409,
        "no_node_available",
        "No node fits.",
        "req-1",
    )
    assert error.errors == (FieldError(pointer="/cpus", message="too many"),)
    assert error.problem.to_wire()["nodes"] == {"local": "too small"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, BadCredential),
        (403, NotAllowed),
        (404, NotThere),
        (409, StateConflict),
        (422, InvalidRequest),
        (429, TooManyRequests),
        (500, SpuntoApiError),
        (503, NotNow),
    ],
)
def test_each_status_has_its_exception(status: int, kind: type[SpuntoApiError]) -> None:
    assert type(error_of(status, {}, b"")) is kind


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b'"text"', b'{"code": 5}', b"\xff"])
def test_what_a_proxy_says_is_an_error_of_the_same_shape(body: bytes) -> None:
    error = error_of(502, {"x-request-id": "req-2"}, body)

    assert (error.status, error.code, error.request_id) == (502, "http_502", "req-2")


def test_the_status_line_wins_over_the_body() -> None:
    assert error_of(503, {}, PROBLEM).status == 503


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("0", 0.0), ("-1", None), ("inf", None), ("nan", None), ("soon", None)]
)
def test_only_a_number_of_seconds_says_when_to_come_back(header: str, seconds: float | None) -> None:
    assert error_of(503, {"retry-after": header}, b"").retry_after_seconds == seconds


def test_without_a_header_nothing_is_said() -> None:
    assert error_of(503, {}, b"").retry_after_seconds is None
