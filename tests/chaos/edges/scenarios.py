"""Every scenario of a region: small enough for a test, and as large as it is meant."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from tests.chaos.edges.cut_off import an_edge_is_cut_off_for_too_long, one_edge_is_cut_off
from tests.chaos.edges.deaths import each_dies_under_load
from tests.chaos.edges.memory import MIB
from tests.chaos.edges.nuisances import fall_silent, flood_of_streams, never_read, reset_in_mid_body
from tests.chaos.edges.region import Region

RegionScenario = Callable[[Region], Awaitable[str]]

SMALL: Final[Mapping[str, RegionScenario]] = {
    "edge cut off": partial(one_edge_is_cut_off, seconds=8.0),
    "deaths under load": partial(each_dies_under_load, many=10, upload_bytes=64 * MIB),
    "never read": partial(never_read, many=20, seconds=2.0),
    "fallen silent": partial(fall_silent, many=20, seconds=2.0),
    "reset in mid-body": partial(reset_in_mid_body, many=20),
    "flood of streams": partial(flood_of_streams, many=20, seconds=3.0),
}

LARGE: Final[Mapping[str, RegionScenario]] = {
    # Longer than the heartbeats after which an edge gives its connection up.
    "edge cut off": partial(one_edge_is_cut_off, seconds=60.0),
    "edge cut off for too long": an_edge_is_cut_off_for_too_long,
    "deaths under load": partial(each_dies_under_load, many=100, upload_bytes=1024 * MIB),
    "never read": partial(never_read, many=200, seconds=30.0),
    "fallen silent": partial(fall_silent, many=200, seconds=30.0),
    "reset in mid-body": partial(reset_in_mid_body, many=500),
    "flood of streams": partial(flood_of_streams, many=100, seconds=30.0),
}
