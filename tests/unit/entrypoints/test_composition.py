"""What the loops say of their failures."""

import structlog

from spunto.core.kernel.errors import Unavailable
from spunto.entrypoints.composition import _report


def test_a_database_that_is_away_takes_one_line_and_a_mistake_of_ours_its_trace() -> None:
    with structlog.testing.capture_logs() as logged:
        _report("worker", "", Unavailable("database_unavailable", "The database does not answer."))
        _report("worker", "wkr_1", ZeroDivisionError())

    told, traced = logged
    assert told == {
        "event": "reconcile_failed",
        "log_level": "warning",
        "kind": "worker",
        "subject": "",
        "code": "database_unavailable",
        "reason": "The database does not answer.",
    }
    assert isinstance(traced["exc_info"], ZeroDivisionError)
