"""What was made of a thing is kept for that very thing, and for nothing that only looks like it."""

from functools import partial

from spunto.core.kernel.derived import Derived


def test_of_the_same_thing_and_detail_it_is_made_once() -> None:
    derived: Derived[list[int], object] = Derived(capacity=2)
    source = [1]

    made = [derived.of(source, detail, object) for detail in ("a", "a", "b")]

    assert made[0] is made[1]
    assert made[1] is not made[2]


def test_an_equal_thing_is_another_one() -> None:
    derived: Derived[list[int], list[int]] = Derived(capacity=8)

    # None of them lives on by itself, so that their addresses in memory would come again.
    made = [derived.of([number], None, partial(list, (number,))) for number in range(4)]

    assert made == [[0], [1], [2], [3]]


def test_no_more_than_its_capacity_is_kept() -> None:
    derived: Derived[list[int], object] = Derived(capacity=2)
    sources = [[1], [2], [3]]
    first = derived.of(sources[0], None, object)

    for source in sources[1:]:
        derived.of(source, None, object)

    assert derived.of(sources[0], None, object) is not first


def test_what_is_not_worth_its_memory_is_made_each_time() -> None:
    made: list[str] = []
    derived: Derived[object, str] = Derived(capacity=2, keeps=lambda text: len(text) < 3)
    source = object()

    def make() -> str:
        made.append("long")
        return "long"

    assert [derived.of(source, None, make) for _ in range(2)] == ["long", "long"]
    assert len(made) == 2
