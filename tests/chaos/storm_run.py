"""Runs a storm on an engine of its own, waits for quiescence, and counts what should not be."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos.box import SETTLE_SECONDS, Box, running_box
from tests.chaos.engine import PrivateEngine, private_engine
from tests.chaos.journal import Journal
from tests.chaos.oracle import EngineFate, Findings
from tests.chaos.plan import Plan, Victim
from tests.chaos.report import Line
from tests.chaos.storm import Killable, Storm
from tests.fixtures.waiting import NotInTime, eventually

from spunto.client.errors import NotNow, ServerUnreachable

MIB = 1024 * 1024
_GROWTH_BYTES = 64 * MIB


async def storm_line(out: Path, plan: Plan, *, image_from: str, database_url: str | None) -> Line:
    """A storm by the plan, in a box of its own; `out` gets its journal and everybody's logs."""
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            private_engine(out / "engine", image_from=image_from, live_restore=plan.live_restore)
        )
        box = await stack.enter_async_context(running_box(out / "storm", engine.url, database_url=database_url))
        journal = Journal(out / "journal.ndjson")
        stack.callback(journal.close)
        journal.note("planned", **plan.to_json())
        victims: dict[Victim, Killable] = {Victim.SERVER: box.server, Victim.AGENT: box.agent, Victim.ENGINE: engine}
        storm = Storm(box, plan, victims, journal)
        first = {program.name: program.rss_bytes for program in (box.server, box.agent)}
        await storm.run()
        findings, settled_seconds = await quiescence(box, engine, plan)
        journal.note(
            "settled", seconds=round(settled_seconds, 1), findings=findings.sentences(), refused=storm.tally.refused
        )
        return _line(storm, findings, first, settled_seconds, time.monotonic() - begun)


async def quiescence(box: Box, engine: PrivateEngine, plan: Plan) -> tuple[Findings, float]:
    """What is not as it should be when everything has had its time, and how long it took until nothing was."""
    begun = time.monotonic()
    findings: Findings | None = None
    fate = EngineFate.KILLED if plan.live_restore else EngineFate.KILLED_WITH_CONTAINERS

    async def is_clean() -> bool:
        nonlocal findings
        try:
            findings = await box.findings(engine.processes(), engine=fate)
        except (ServerUnreachable, NotNow):
            return False
        return not findings

    try:
        await eventually(is_clean, seconds=SETTLE_SECONDS, what="quiescence")
    except NotInTime:
        if findings is None:
            raise
    assert findings is not None
    return findings, time.monotonic() - begun


def _line(storm: Storm, findings: Findings, first: Mapping[str, int], settled_seconds: float, seconds: float) -> Line:
    tally = storm.tally
    grown = {name: most - first[name] for name, most in tally.rss_bytes.items()}
    figures = {
        **findings.counts(),
        "exits_that_nobody_caused": len(tally.unasked_exits),
        "processes_with_unbounded_memory": sum(growth > _GROWTH_BYTES for growth in grown.values()),
    }
    memory = ", ".join(f"{name} {first[name] // MIB} to {most // MIB} MiB" for name, most in tally.rss_bytes.items())
    note = (
        f"{_counted(tally.kills)} killed; {_counted(tally.acknowledged)} acknowledged; "
        f"settled in {settled_seconds:.1f} s; {memory}; given up with a reason: {len(findings.given_up)}; "
        f"left by the engine that was killed: {len(findings.engine_leftovers)}"
    )
    return Line(name="storm", seconds=seconds, note=note, figures=figures, failed=any(figures.values()))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
