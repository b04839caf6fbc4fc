"""Texts of the command line, read as values."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
import typer
from hypothesis import given
from hypothesis import strategies as st

from spunto.entrypoints.cli.options import bytes_of, idle_timeout_of, moment_of, pairs_of, patience_of, seconds_of

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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("1h", 3600),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1d2h", 93_600),
        ("1M30S", 90),
        ("2d", 172_800),
        ("1W", 604_800),
        (2.5, 2.5),
    ],
)
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "-1h",
        "1 h m",
        "1h30",
        "30m1h",
        "1.5h30m",
        "1h-30m",
        "999999999w1d",
        "1y",
        "soon",
        "1e3",
        "٣m",
        "999999999w",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        seconds_of(text)


def test_nobody_waits_for_no_time_and_never_is_said_in_words() -> None:
    assert (patience_of("0.1"), idle_timeout_of("never"), idle_timeout_of("2h")) == (0.1, 0, 7200)
    for parse, text in ((patience_of, "0"), (idle_timeout_of, "0"), (idle_timeout_of, "0.4s")):
        with pytest.raises(typer.BadParameter):
            parse(text)


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
