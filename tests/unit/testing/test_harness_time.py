"""Idle time of the harness: it costs next to nothing, and nobody can tell that it was passed over."""

import asyncio

from spunto.core.activity.events import EventType
from spunto.core.kernel.clock import ManualClock
from spunto.core.nodes.model import NodeStatus
from spunto.testing.harness import Harness

DAY_SECONDS = 86_400.0
# Each costs about a tenth of a millisecond; with every heartbeat a day had 51,000.
MOMENTS_A_DAY = 1500


class CountingClock(ManualClock):
    """Counts the moments at which anybody was woken."""

    def __init__(self) -> None:
        super().__init__()
        self.moments = 0

    def advance(self, seconds: float) -> None:
        self.moments += 1
        super().advance(seconds)


async def make_idle(harness: Harness) -> None:
    for name in ("one", "two", "three"):
        await harness.add_node(name)
    await harness.spawn(await harness.add_project())
    await harness.settle()


async def status_of(harness: Harness, name: str) -> NodeStatus:
    node = await harness.spunto.nodes.get(harness.owner, harness.organization.id, harness.nodes[name].id)
    return node.status


async def test_an_idle_day_wakes_hardly_anybody() -> None:
    harness = Harness()
    harness.clock = clock = CountingClock()
    async with harness:
        await make_idle(harness)
        clock.moments = 0

        await harness.advance(DAY_SECONDS)

        assert {await status_of(harness, name) for name in harness.nodes} == {NodeStatus.ONLINE}

    assert clock.moments < MOMENTS_A_DAY


async def test_after_an_idle_day_a_node_that_falls_silent_is_offline_as_soon_as_ever() -> None:
    async def seconds_of_silence(*, idle_seconds: float) -> float:
        async with Harness() as harness:
            await make_idle(harness)
            await harness.advance(idle_seconds)
            harness.nodes["one"].partition()
            begun = harness.clock.monotonic()
            while await status_of(harness, "one") is NodeStatus.ONLINE:
                await harness.advance(0.5)
            assert await status_of(harness, "two") is NodeStatus.ONLINE
            return round(harness.clock.monotonic() - begun, 3)

    after_a_day = await seconds_of_silence(idle_seconds=DAY_SECONDS + 97.3)

    assert after_a_day == await seconds_of_silence(idle_seconds=97.3)


async def test_what_happens_within_an_idle_time_happens_at_its_moment() -> None:
    async def told(*, step_seconds: float) -> list[tuple[EventType, float]]:
        async with Harness() as harness:
            begun = harness.clock.now()
            await make_idle(harness)

            async def trouble() -> None:
                await harness.clock.sleep(1321.5)
                harness.nodes["one"].kill_agent()
                await harness.clock.sleep(1500)
                harness.nodes["two"].partition()

            troubling = asyncio.ensure_future(trouble())
            for _ in range(int(4000 / step_seconds)):
                await harness.advance(step_seconds)
            await troubling
            async with harness._require_store().reading() as tx:
                events = await tx.events.after(harness.organization.id, 0, limit=1000)
            return [(each.type, (each.at - begun).total_seconds()) for each in events]

    at_once, in_steps = await told(step_seconds=4000), await told(step_seconds=100)

    assert at_once == in_steps
    assert [kind for kind, _ in at_once].count(EventType.NODE_OFFLINE) == 2


async def test_after_an_idle_day_what_a_node_listed_is_as_new_as_ever() -> None:
    async with Harness() as harness:
        await make_idle(harness)
        await harness.advance(DAY_SECONDS)
        link = harness.spunto.links.find(harness.nodes["one"].id)

        assert link is not None
        assert link.listed is not None
        assert (harness.clock.now() - link.listed.sampled_at).total_seconds() <= 600
        assert link.connection.idle_seconds <= 15


async def test_an_idle_day_ends_where_something_is_found_that_nobody_announced() -> None:
    async with Harness() as harness:
        node = await harness.add_node("one")
        project = await harness.add_project()
        view = await harness.spawn(project)
        await harness.advance(DAY_SECONDS)
        node.engine._containers.clear()

        await harness.advance(DAY_SECONDS)

        found = await harness.worker(project, view.worker.id)
    assert (found.worker.state, found.docker_state) == ("error", "not_found")
