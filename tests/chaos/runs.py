"""Runs the storm, then every scenario in a box of its own, and gathers what they come to."""

import asyncio
import subprocess
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.chaos.box import Box, running_box
from tests.chaos.edges.region import running_region
from tests.chaos.edges.scenarios import LARGE, RegionScenario
from tests.chaos.namespaces import joined_namespace
from tests.chaos.plan import plan_of
from tests.chaos.replicas import replicas_line
from tests.chaos.report import Line, Report
from tests.chaos.scenarios import agents, crashes, hostile, rebuilds, workers
from tests.chaos.storm_run import storm_line
from tests.fixtures.postgres import fresh_database
from tests.fixtures.scripts import SCRIPTS

Scenario = Callable[[Box], Awaitable[str]]

SCENARIOS: Mapping[str, Scenario] = {
    "two agents with one credential": agents.two_agents_with_one_credential,
    "asked while the node is offline": agents.asked_while_the_node_is_offline,
    "container removed by hand": workers.container_removed_by_hand,
    "container stopped by hand": workers.container_stopped_by_hand,
    "destroyed while spawning": workers.destroyed_while_spawning,
    "nothing else is touched": workers.nothing_else_is_touched,
    "server crashes around a send": crashes.server_crashes,
    "agent crashes around a start": crashes.agent_crashes,
    "server dies in a rebuild": rebuilds.server_dies_in_a_rebuild,
    "agent dies in a rebuild": rebuilds.agent_dies_in_a_rebuild,
    "flooded by a hostile agent": hostile.flooded_by_a_hostile_agent,
    "terminal never read": hostile.terminal_never_read,
}
# Longer than the three heartbeats after which a connection that is silent is given up.
_LASTING: Mapping[str, Scenario] = {
    "two agents that live on": agents.two_agents_that_live_on,
    "flooded by a hostile agent": partial(hostile.flooded_by_a_hostile_agent, seconds=20.0),
    "terminal never read": partial(hostile.terminal_never_read, seconds=50.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`only` names what to run; empty is everything."""

    seed: int
    spawns: int
    kills: int
    database: str
    only: frozenset[str]
    out: Path

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only


async def run_all(options: Options) -> Report:
    engine_url = await asyncio.to_thread(_shared_engine)
    lines = []
    if options.wants("storm"):
        storm = await _storm(options, engine_url)
        lines.append(_told(storm))
    for name, scenario in {**SCENARIOS, **_LASTING}.items():
        if options.wants(name):
            lines.append(await _line(options, name, _in_a_box(options, name, engine_url, scenario)))
    for name, region_scenario in LARGE.items():
        if options.wants(name):
            lines.append(await _line(options, name, _in_a_region(options, name, engine_url, region_scenario)))
    if options.wants("partition"):
        lines.append(await _line(options, "partition", _partition(options, engine_url)))
    if options.wants("replicas"):
        lines.append(await _replicas(options))
    kept = {"spawns": options.spawns, "kills": options.kills, "database": options.database}
    return Report(seed=options.seed, options=kept, lines=lines)


async def _line(options: Options, name: str, running: Awaitable[str]) -> Line:
    begun = time.monotonic()
    try:
        note, failed = await running, False
    except Exception as error:  # noqa: BLE001 - the edge: one failure must not hide what comes after
        (options.out / f"{name.replace(' ', '-')}.error").write_text("".join(traceback.format_exception(error)))
        note, failed = repr(error)[:300], True
    return _told(Line(name=name, seconds=time.monotonic() - begun, note=note, failed=failed))


def _told(line: Line) -> Line:
    print(f"{'FAILED' if line.failed else 'ok':<6} {line.name}: {line.note}", flush=True)
    return line


async def _in_a_box(options: Options, name: str, engine_url: str, scenario: Scenario) -> str:
    async with _database(options) as url:
        directory = options.out / name.replace(" ", "-")
        async with running_box(directory, engine_url, database_url=url) as box:
            return await scenario(box)


async def _in_a_region(options: Options, name: str, engine_url: str, scenario: RegionScenario) -> str:
    async with running_region(options.out / name.replace(" ", "-"), engine_url) as region:
        return await scenario(region)


async def _partition(options: Options, engine_url: str) -> str:
    with joined_namespace() as namespace:
        assert namespace.host is not None
        async with (
            _database(options) as url,
            running_box(
                options.out / "partition", engine_url, database_url=url, host=namespace.host, inside=namespace.inside
            ) as box,
        ):
            return await agents.partitioned_for_longer_than_the_threshold(box, namespace)


async def _storm(options: Options, image_from: str) -> Line:
    async with _database(options) as url:
        return await storm_line(
            options.out,
            plan_of(options.seed, spawns=options.spawns, kills=options.kills),
            image_from=image_from,
            database_url=url,
        )


async def _replicas(options: Options) -> Line:
    """On Postgres, whatever the rest of the run is on: that is what servers share."""
    begun = time.monotonic()
    try:
        async with fresh_database(await asyncio.to_thread(_printed, "postgres")) as url:
            directory = options.out / "replicas"
            await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
            return _told(await replicas_line(directory, url, seed=options.seed))
    except Exception as error:  # noqa: BLE001 - the edge: one failure must not hide what comes after
        (options.out / "replicas.error").write_text("".join(traceback.format_exception(error)))
        return _told(Line(name="replicas", seconds=time.monotonic() - begun, note=repr(error)[:300], failed=True))


@asynccontextmanager
async def _database(options: Options) -> AsyncIterator[str | None]:
    """None is the server's own SQLite."""
    if options.database == "sqlite":
        yield None
        return
    async with fresh_database(await asyncio.to_thread(_printed, "postgres")) as url:
        yield url


def _shared_engine() -> str:
    _printed("images", "docker")
    return _printed("engine", "docker")


def _printed(script: str, *arguments: str) -> str:
    done = subprocess.run([SCRIPTS / script, *arguments], check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    return done.stdout.strip()
