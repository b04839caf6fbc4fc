from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.routes.passes import Pass, read, sign

KEY = b"k" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOST = "worker-3-01j0000000000000000000000z-3000.w.localhost"
PASS = Pass(
    by="ses_01j00000000000000000000001",
    subject="wkr_01j0000000000000000000000z",
    host=HOST,
    expires_at=NOW + timedelta(minutes=15),
)


def test_what_is_signed_is_read() -> None:
    assert read(KEY, sign(KEY, PASS), host=HOST, now=NOW) == PASS


def test_a_link_has_passes_too() -> None:
    given = replace(PASS, by="lnk_01j00000000000000000000001")

    assert read(KEY, sign(KEY, given), host=HOST, now=NOW) == given


def test_it_is_good_at_its_own_host_alone() -> None:
    other = HOST.replace("3000", "3001")

    assert read(KEY, sign(KEY, PASS), host=other, now=NOW) is None


def test_it_is_good_with_its_own_key_alone() -> None:
    assert read(b"x" * 32, sign(KEY, PASS), host=HOST, now=NOW) is None


@pytest.mark.parametrize(("seconds", "is_good"), [(899, True), (900, False), (901, False)])
def test_it_expires(seconds: int, is_good: bool) -> None:
    late = NOW + timedelta(seconds=seconds)

    assert (read(KEY, sign(KEY, PASS), host=HOST, now=late) is not None) is is_good


def test_it_can_stand_in_a_cookie() -> None:
    text = sign(KEY, PASS)

    assert text.isascii()
    assert not set(text) & set(' ",;\\=')
    assert len(text) < 160


@given(at=st.integers(0, 118), put=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=1))
def test_no_character_can_be_changed(at: int, put: str) -> None:
    text = sign(KEY, PASS)
    changed = text[:at] + put + text[at + 1 :]

    assert (read(KEY, changed, host=HOST, now=NOW) is None) is (changed != text)


@given(text=st.text(max_size=200) | st.from_regex(r"1\.[0-9]{1,20}\.ses_.{26}\..{0,80}"))
def test_anything_else_is_none(text: str) -> None:
    assert read(KEY, text, host=HOST, now=NOW) is None


@pytest.mark.parametrize("put", ["", "\n", " ", "=", "A"])
def test_nothing_stands_around_it(put: str) -> None:
    text = sign(KEY, PASS)

    assert [read(KEY, each, host=HOST, now=NOW) for each in (f"{text}{put}x", f"{put}x{text}")] == [None, None]
    assert (read(KEY, text + put, host=HOST, now=NOW) is None) is (put != "")


def test_no_year_is_too_far() -> None:
    text = sign(KEY, PASS)

    assert read(KEY, text.replace(text.split(".")[1], "9" * 11), host=HOST, now=NOW) is None
