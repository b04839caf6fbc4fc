"""Ids: their shape, their order, and that there are never two alike."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.clock import ManualClock
from spunto.core.kernel.ids import ALPHABET, TimeOrderedIds, bare, encode, is_id


def test_ids_have_their_prefix_and_26_characters() -> None:
    made = TimeOrderedIds(ManualClock()).new("wkr")

    assert is_id(made, "wkr")
    assert not is_id(made, "nod")
    assert len(bare(made)) == 26


def test_ids_of_one_millisecond_are_unique_and_in_the_order_of_making() -> None:
    ids = TimeOrderedIds(ManualClock())

    made = [ids.new("wkr") for _ in range(2000)]

    assert made == sorted(set(made))


@given(st.lists(st.integers(min_value=-10_000, max_value=10_000), max_size=50))
def test_ids_stay_in_order_even_where_the_clock_goes_back(jumps_millis: list[int]) -> None:
    clock = ManualClock()
    ids = TimeOrderedIds(clock)
    made = []

    for jump_millis in jumps_millis:
        clock.advance(jump_millis / 1000)
        made.append(ids.new("wkr"))

    assert made == sorted(set(made))


@given(st.integers(min_value=0, max_value=2**128 - 1), st.integers(min_value=0, max_value=2**128 - 1))
def test_the_order_of_texts_is_the_order_of_values(one: int, other: int) -> None:
    assert (encode(one) < encode(other)) == (one < other)
    assert is_id(f"wkr_{encode(one)}", "wkr")
    assert int("".join(f"{ALPHABET.index(letter):05b}" for letter in encode(one)), 2) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wkr_",
        f"wkr_{'0' * 25}",
        f"wkr_{'0' * 27}",
        f"wkr_8{'0' * 25}",
        f"wkr_{'0' * 25}u",
        f"wkr_{'0' * 25}A",
        f"wkr_{'0' * 26}\n",
        f"WKR_{'0' * 26}",
        f"wkr_{'0' * 25}\u0660",
    ],
)
def test_anything_else_is_no_id(text: str) -> None:
    assert not is_id(text, "wkr")


def test_ids_sort_by_time_across_makers() -> None:
    clock = ManualClock()
    earlier = TimeOrderedIds(clock).new("wkr")
    clock.advance(timedelta(milliseconds=1).total_seconds())

    assert earlier < TimeOrderedIds(clock).new("wkr")
