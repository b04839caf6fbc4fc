"""Asks for much at once while server, agent and engine are killed, and holds what was acknowledged against the end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.chaos.box import Box
from tests.chaos.journal import Journal
from tests.chaos.oracle import Wanted
from tests.chaos.plan import Life, Plan, Verb, Victim

from spunto.client.errors import NotNow, NotThere, ServerUnreachable, StateConflict
from spunto.client.worker_models import Worker, WorkerRef

PATIENCE_SECONDS = 90.0
_AGAIN_SECONDS = 0.2
_WANTED = {Verb.STOP: Wanted.STOPPED, Verb.START: Wanted.RUNNING, Verb.DESTROY: Wanted.GONE}


class Killable(Protocol):
    """What a storm kills: a process of the box, or the engine's."""

    def kill(self) -> None: ...

    def start(self) -> None: ...

    @property
    def is_running(self) -> bool: ...


@dataclass(slots=True, kw_only=True)
class Tally:
    """What happened, and the most memory that each process took."""

    kills: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    unasked_exits: list[str] = field(default_factory=list)
    rss_bytes: dict[str, int] = field(default_factory=dict)

    def count(self, counts: dict[str, int], name: str) -> None:
        counts[name] = counts.get(name, 0) + 1

    def measured(self, name: str, rss_bytes: int) -> None:
        self.rss_bytes[name] = max(self.rss_bytes.get(name, 0), rss_bytes)


class Storm:
    def __init__(self, box: Box, plan: Plan, victims: dict[Victim, Killable], journal: Journal) -> None:
        self._box = box
        self._plan = plan
        self._victims = victims
        self._journal = journal
        self._begun = time.monotonic()
        self.tally = Tally()

    async def run(self) -> None:
        """Returns when all that was asked for has an answer, and everything that was killed runs again."""
        self._begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_all(), name="kills")
            for life in self._plan.lives:
                group.create_task(self._live(life), name=life.key)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._begun + at - time.monotonic()))

    async def _kill_all(self) -> None:
        for kill in self._plan.kills:
            await self._until(kill.at)
            victim = self._victims[kill.victim]
            self._measure()
            self._look_for_unasked_exit(kill.victim)
            victim.kill()
            self.tally.count(self.tally.kills, kill.victim)
            self._journal.note("killed", victim=kill.victim)
            await asyncio.sleep(kill.down_seconds)
            victim.start()

    def _look_for_unasked_exit(self, name: Victim) -> None:
        if not self._victims[name].is_running:
            self.tally.unasked_exits.append(name)
            self._journal.note("ended_by_itself", victim=name)

    def _measure(self) -> None:
        for program in (self._box.server, self._box.agent):
            self.tally.measured(program.name, program.rss_bytes)

    async def _live(self, life: Life) -> None:
        await self._until(life.at)
        box = self._box
        worker_id = await self._insist(
            "spawn",
            life.key,
            lambda: box.client.workers.spawn(box.org_id, box.project_id, idempotency_key=life.key),
        )
        if worker_id is None:
            return
        box.oracle.spawned(life.key, worker_id)
        worker = WorkerRef(box.org_id, box.project_id, worker_id)
        for ask in life.asks:
            await asyncio.sleep(ask.after_seconds)
            if await self._insist(ask.verb, life.key, self._asking(ask.verb, worker)) is not None:
                box.oracle.asked(worker_id, _WANTED[ask.verb])

    def _asking(self, verb: Verb, worker: WorkerRef) -> Callable[[], Awaitable[Worker]]:
        workers = self._box.client.workers
        return {
            Verb.STOP: lambda: workers.stop(worker),
            Verb.START: lambda: workers.start(worker),
            Verb.DESTROY: lambda: workers.destroy(worker),
        }[verb]

    async def _insist(self, verb: str, key: str, request: Callable[[], Awaitable[Worker]]) -> str | None:
        """Ask until there is an answer: the worker's id, or None for a refusal.

        What gets none in time is noted as unanswered.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        lost = False
        while time.monotonic() < deadline:
            try:
                answer = await request()
            except (ServerUnreachable, NotNow) as error:
                lost = lost or isinstance(error, ServerUnreachable)
                self._journal.note("no_answer", verb=verb, key=key, code=error.code)
            except NotThere:
                self._journal.note("not_there", verb=verb, key=key, answer_was_lost=lost)
                # Then an earlier request took effect, and has ended by now.
                return key if lost and verb == Verb.DESTROY else None
            except StateConflict as refusal:
                # A node that is away for a moment takes nothing; the next one asks again, as people do.
                if refusal.code != "no_node_available":
                    self.tally.count(self.tally.refused, f"{verb} {refusal.code}")
                    self._journal.note("refused", verb=verb, key=key, code=refusal.code)
                    return None
            else:
                self.tally.count(self.tally.acknowledged, verb)
                self._journal.note("acknowledged", verb=verb, key=key, worker=answer.id, state=answer.state)
                return answer.id
            await asyncio.sleep(_AGAIN_SECONDS)
        self._box.oracle.unanswered.append(f"{verb} of {key}")
        return None
