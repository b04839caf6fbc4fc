"""Keeps an eye on the node's disk: how much of it is left, and which subjects take more than they may."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from spunto.core.executor.disk import FILE_BYTES, HURRY_BYTES, DiskSpace, DiskUse, Stay, objection
from spunto.core.executor.effects import bounded
from spunto.core.executor.kinds.container import runs
from spunto.core.executor.runtime import Container, ContainerRuntime
from spunto.core.executor.settings import NodeSettings
from spunto.core.executor.subject import Subject
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import NotFound, SpuntoError
from spunto.core.kernel.log import Log
from spunto.core.kernel.problem import Problem
from spunto.core.protocol.messages import DiskReport

# Looking costs the disk: nine tenths of the time nobody looks, and half of it where the disk fills.
_REST = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """What a run of a container, known by when it began, took at the first look, and when that was on the monotonic
    clock: what the hour says may jump."""

    container_id: str
    started_at: datetime | None
    first_bytes: int
    at: float


class DiskWatch:
    """`report` is what the server should know of the disk, None where nobody can tell.

    `news` is called when that changes, and `halt` with what of the `standing` takes more than it may.
    """

    def __init__(
        self,
        runtime: ContainerRuntime,
        *,
        clock: Clock,
        settings: NodeSettings,
        log: Log,
        standing: Callable[[], Sequence[Subject]],
        halt: Callable[[Subject, Problem], None],
        news: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._settings = settings
        self._log = log
        self._standing = standing
        self._halt = halt
        self._news = news
        self._space: DiskSpace | None = None
        self._told: DiskSpace | None = None
        self._at_look = DiskSpace(total_bytes=0, free_bytes=0)
        self._next_look = self._next_hurry = 0.0
        self._grace_is_running = False
        self._first: dict[str, _First] = {}

    @property
    def report(self) -> DiskReport | None:
        if self._told is None:
            return None
        return DiskReport(
            total_bytes=self._told.total_bytes,
            free_bytes=self._told.free_bytes,
            reserve_bytes=self._told.reserve_bytes(self._settings.disk_reserve_bytes),
            total_files=self._told.total_files,
            free_files=self._told.free_files,
            reserve_files=self._told.reserve_files,
        )

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._glance()
            if self._clock.monotonic() >= self._next_look or self._is_filling:
                await self._look()
            # Whose grace runs out is stopped at its hour; else the next glance is like this one.
            clock = self._clock if self._grace_is_running else self._clock.beats
            await clock.sleep(self._settings.disk_glance_seconds)

    @property
    def _is_filling(self) -> bool:
        if self._space is None or self._clock.monotonic() < self._next_hurry:
            return False
        files = self._at_look.free_files - self._space.free_files
        return max(self._at_look.free_bytes - self._space.free_bytes, FILE_BYTES * files) >= HURRY_BYTES

    async def _glance(self) -> None:
        try:
            async with bounded(self._settings.engine_seconds):
                self._space = await self._runtime.disk_space()
        except SpuntoError:
            return  # The engine is away, which others notice; the disk is as it was last seen.
        if self._space is None:
            return
        reserve_bytes = self._space.reserve_bytes(self._settings.disk_reserve_bytes)
        if self._space.is_news_after(self._told, reserve_bytes=reserve_bytes):
            self._told = self._space
            if self._space.is_short(reserve_bytes):
                self._log("disk_short", free_bytes=self._space.free_bytes, free_files=self._space.free_files)
            self._news()

    async def _look(self) -> None:
        begun = self._clock.monotonic()
        self._at_look = self._space or self._at_look
        self._grace_is_running = False
        for subject in self._standing():
            limit_bytes = self._settings.policy.disk_bytes(subject.item.kind)
            if limit_bytes is not None:
                await self._look_at(subject, limit_bytes)
        known = {subject.item.id for subject in self._standing()}
        self._first = {subject_id: each for subject_id, each in self._first.items() if subject_id in known}
        now = self._clock.monotonic()
        self._next_look = max(begun + self._settings.disk_seconds, now + _REST * (now - begun))
        self._next_hurry = now + (now - begun)

    async def _look_at(self, subject: Subject, limit_bytes: int) -> None:
        container, generation = subject.seen.container, subject.item.generation
        if container is None or not runs(container) or subject.ledger.halted_in == generation:
            return
        try:
            use = await self._runtime.disk_use(container.name)
        except NotFound:
            return
        except SpuntoError as error:
            self._log("disk_not_measured", subject=subject.item.id, error=error.message)
            return
        if subject.item.generation != generation or subject.item.is_absent:
            return
        problem = objection(use, self._stay(subject, container, use), limit_bytes=limit_bytes)
        if problem is None:
            self._grace_is_running |= use.charged_bytes > limit_bytes
        else:
            self._log("disk_limit_exceeded", subject=subject.item.id, bytes=use.total_bytes, files=use.files)
            self._halt(subject, problem)

    def _stay(self, subject: Subject, container: Container, use: DiskUse) -> Stay:
        first, now = self._first.get(subject.item.id), self._clock.monotonic()
        started_at = container.started_at
        if first is None or (first.container_id, first.started_at) != (container.container_id, started_at):
            first = _First(
                container_id=container.container_id, started_at=started_at, first_bytes=use.charged_bytes, at=now
            )
            self._first[subject.item.id] = first
        return Stay(
            first_bytes=first.first_bytes,
            seconds=now - first.at,
            was_stopped=0 < subject.ledger.halted_in < subject.item.generation,
        )
