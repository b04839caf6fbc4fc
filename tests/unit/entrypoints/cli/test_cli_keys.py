"""When a key ends, as people type it."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from spunto.entrypoints.cli.keys import end_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("never", "never"),
        ("12h", NOW + timedelta(hours=12)),
        ("30d", NOW + timedelta(days=30)),
        ("8w", NOW + timedelta(weeks=8)),
        ("2030-01-31", datetime(2030, 1, 31, tzinfo=UTC)),
        ("2030-01-31T02:00:00+02:00", datetime(2030, 1, 31, tzinfo=UTC)),
    ],
)
def test_an_end_is_a_span_a_time_or_never(text: str, end: datetime | str) -> None:
    assert end_of(text, now=NOW) == end


@pytest.mark.parametrize("text", ["", "soon", "30", "d", "-1d", "30y", "999999w"])
def test_anything_else_is_told(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no end"):
        end_of(text, now=NOW)
