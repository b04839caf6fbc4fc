"""Texts of the command line, read as values."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
import typer
from hypothesis import given
from hypothesis import strategies as st

from spunto.entrypoints.cli.options import bytes_of, moment_of, pairs_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "count_bytes"),
    [
        ("1024", 1024),
        ("1k", 1000),
        ("512MiB", 2**29),
        ("2g", 2 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("2Gi", 2**31),
        ("7b", 7),
    ],
)
def test_sizes_have_units(text: str, count_bytes: int) -> None:
    assert bytes_of(text) == count_bytes


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1e9", "2x", "1GiBs", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        bytes_of(text)


def test_a_value_may_hold_anything() -> None:
    assert pairs_of(["A=1", "B=x=y", "C="], option="--env") == {"A": "1", "B": "x=y", "C": ""}


@pytest.mark.parametrize("text", ["A", "=1", ""])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        pairs_of([text], option="--env")


@pytest.mark.parametrize(("text", "ago"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_a_time_span_is_so_long_ago(text: str, ago: int) -> None:
    with time_machine.travel(NOW, tick=False):
        assert moment_of(text) == NOW - timedelta(seconds=ago)


@pytest.mark.parametrize(
    "text", ["2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "2026-01-01", "2026-01-01T00:00"]
)
def test_a_time_is_in_utc_unless_it_says_otherwise(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()

    assert moment_of(text) == NOW


@pytest.mark.parametrize("text", ["99999999999999d", "9999999d", "d", "-1d", "soon"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment_of(text)


@given(st.text(max_size=12))
def test_any_other_text_is_refused_or_read_but_never_a_crash(text: str) -> None:
    try:
        read = moment_of(text)
    except typer.BadParameter:
        return
    assert read.tzinfo is not None
