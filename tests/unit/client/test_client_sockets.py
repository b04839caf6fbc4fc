"""What the end of a WebSocket means."""

import pytest

from spunto.client.errors import NotAllowed, NotNow, NotThere, ServerUnreachable, UnexpectedAnswer
from spunto.client.sockets import Ending, ending_of, error_in, frame_of, is_passing, status_of


@pytest.mark.parametrize(
    ("close_code", "ending"),
    [
        (None, Ending.LOST),
        (1000, Ending.FINISHED),
        (1001, Ending.LOST),
        (1006, Ending.LOST),
        (1008, Ending.REFUSED),
        (1011, Ending.LOST),
        (1012, Ending.LOST),
        (1013, Ending.LOST),
        (4401, Ending.REFUSED),
        (4499, Ending.REFUSED),
        (4500, Ending.LOST),
    ],
)
def test_a_close_code_says_whether_to_come_back(close_code: int | None, ending: Ending) -> None:
    assert ending_of(close_code) is ending


@pytest.mark.parametrize(
    ("close_code", "status"), [(None, 503), (1000, 409), (1008, 403), (1012, 503), (4401, 401), (4404, 404)]
)
def test_a_close_code_has_the_status_that_says_the_same(close_code: int | None, status: int) -> None:
    assert status_of(close_code) == status


def test_an_error_frame_is_the_refusal_that_http_would_give() -> None:
    error = error_in({"type": "error", "code": "worker_not_found", "message": "No such worker."}, status=404)

    assert isinstance(error, NotThere)
    assert (error.code, error.detail) == ("worker_not_found", "No such worker.")


def test_only_what_may_pass_is_tried_again() -> None:
    frame = {"code": "x", "message": "y"}

    assert all(is_passing(error_in(frame, status=status)) for status in (502, 503, 504))
    assert is_passing(ServerUnreachable("server_unreachable", "away"))
    assert not is_passing(error_in(frame, status=403))
    assert type(error_in(frame, status=503)) is NotNow
    assert type(error_in(frame, status=403)) is NotAllowed


@pytest.mark.parametrize("message", ["", "{", "[]", b"\xff", "null"])
def test_a_frame_that_is_no_json_object_is_not_spuntos(message: str | bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        frame_of(message)
