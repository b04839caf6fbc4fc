"""A secret shows itself only to who says `reveal`."""

import json
import traceback
from dataclasses import dataclass

import pytest

from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.secret import Secret

PLANTED = "hunter2-planted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    token: Secret


@pytest.mark.parametrize(
    "shown",
    [
        str(Secret(PLANTED)),
        repr(Secret(PLANTED)),
        f"{Secret(PLANTED)}",
        "%s %r" % (Secret(PLANTED), Secret(PLANTED)),  # noqa: UP031 - the way of logging
        repr(Holder(token=Secret(PLANTED))),
        json.dumps({"token": Secret(PLANTED)}, default=str),
        repr(SpuntoError("code", f"{Secret(PLANTED)}", token=Secret(PLANTED))),
    ],
)
def test_it_never_shows(shown: str) -> None:
    assert PLANTED not in shown
    assert "***" in shown


def test_not_even_in_what_goes_wrong_with_it() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps(Secret(PLANTED))

    assert PLANTED not in "".join(traceback.format_exception(caught.value))


def test_it_reveals_itself_on_demand_and_equals_its_like() -> None:
    assert Secret(PLANTED).reveal() == PLANTED
    assert Secret(PLANTED) == Secret(PLANTED)
    assert Secret(PLANTED) != PLANTED
    assert len({Secret(PLANTED), Secret(PLANTED)}) == 1
