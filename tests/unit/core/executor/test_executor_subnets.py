"""Subnets out of a node's pool, and the ring of a terminal's output."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.adapters.memory.runtime import FakeRuntime
from spunto.core.executor.runtime import Network, SubnetTaken
from spunto.core.executor.subnets import Subnets, next_free_subnet
from spunto.core.kernel.errors import Conflict

POOL = IPv4Network("10.208.0.0/24")


def networks(*texts: str) -> list[IPv4Network]:
    return [IPv4Network(text) for text in texts]


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([], "10.208.0.0/28"),
        (["10.208.0.0/28"], "10.208.0.16/28"),
        (["10.208.0.16/28"], "10.208.0.0/28"),
        (["10.208.0.0/27", "172.17.0.0/16"], "10.208.0.32/28"),
        (["10.208.0.3/32"], "10.208.0.16/28"),
        (["10.208.0.0/25", "10.208.0.0/28"], "10.208.0.128/28"),
        (["10.0.0.0/8"], None),
        (["0.0.0.0/0"], None),
    ],
)
def test_the_lowest_subnet_that_overlaps_with_nothing_is_taken(used: list[str], expected: str | None) -> None:
    assert next_free_subnet(POOL, networks(*used)) == (None if expected is None else IPv4Network(expected))


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=12))
def test_a_subnet_is_given_exactly_while_one_is_free(places: list[tuple[int, int]]) -> None:
    used = [IPv4Network((f"10.208.0.{last}", length), strict=False) for last, length in places]
    free = [each for each in POOL.subnets(new_prefix=28) if not any(each.overlaps(other) for other in used)]

    assert next_free_subnet(POOL, used) == (free[0] if free else None)


class _Crowded(FakeRuntime):
    """Beside another engine, whose networks it does not list but refuses to overlap with."""

    def __init__(self, *foreign: str) -> None:
        super().__init__()
        self._foreign = networks(*foreign)
        self.tries = 0

    async def ensure_network(self, network: Network) -> None:
        self.tries += 1
        if any(IPv4Network(network.subnet).overlaps(other) for other in self._foreign):
            raise SubnetTaken(network.subnet)
        await super().ensure_network(network)


async def test_another_engine_s_networks_are_evaded_and_remembered() -> None:
    runtime = _Crowded(*(f"10.208.{last // 16}.{last % 16 * 16}/28" for last in range(100)))
    subnets = Subnets(runtime, IPv4Network("10.208.0.0/14"))

    await subnets.ensure_network("one", {})
    first = runtime.tries
    await subnets.ensure_network("two", {})

    assert first < 20
    assert runtime.tries == first + 1
    assert len(await runtime.list_networks()) == 2


async def test_the_one_subnet_that_is_left_is_found() -> None:
    runtime = _Crowded(*(f"10.208.0.{last * 16}/28" for last in range(16) if last != 5))
    subnets = Subnets(runtime, POOL)

    await subnets.ensure_network("one", {})

    assert [each.subnet for each in await runtime.list_networks()] == ["10.208.0.80/28"]


async def test_a_pool_of_which_all_is_refused_says_so() -> None:
    subnets = Subnets(_Crowded("10.208.0.0/16"), POOL)

    with pytest.raises(Conflict) as caught:
        await subnets.ensure_network("one", {})

    assert caught.value.code == "no_free_subnet"
