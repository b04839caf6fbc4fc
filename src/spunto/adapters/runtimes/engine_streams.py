"""Logs, events, statistics and files of containers, which Docker and Podman serve alike over their compatible API."""

import asyncio
import io
import struct
import tarfile
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import ClassVar

import aiohttp

from spunto.adapters.runtimes import samples, translate
from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal, Timeouts, json_lines
from spunto.adapters.runtimes.log_lines import LogLines, StreamName
from spunto.adapters.runtimes.log_tail import Found, LogTail, attempts
from spunto.core.executor.runtime import (
    ContainerGone,
    ContainerNotRunning,
    EngineEvent,
    EngineUnavailable,
    LogChunk,
    Stats,
)

MAX_KEPT_SAMPLES = 1024
MAX_LOG_FRAME_BYTES = 1024 * 1024
_FRAME_HEAD = struct.Struct(">BxxxL")
_STREAMS: dict[int, StreamName] = {1: "stdout", 2: "stderr"}


class EngineStreams(ABC):
    """The part of the port that needs nothing but the socket."""

    # Whether a log's `tail` is so many of its frames. Podman before 5 glues the pieces of other lines together there.
    _counts_frames: ClassVar[bool] = True

    def __init__(self, socket: EngineSocket, timeouts: Timeouts) -> None:
        self._socket = socket
        self._timeouts = timeouts
        self._samples: OrderedDict[str, samples.Sample] = OrderedDict()

    @abstractmethod
    def _log_time(self, moment: datetime) -> str:
        """The moment as the engine's `since` wants it."""

    def events(self, *, label: str) -> AsyncGenerator[EngineEvent, None]:
        # Asking for what happened since this call closes the gap until the engine has taken the subscription.
        return self._events(label, after_nanos=time.time_ns())

    async def _events(self, label: str, *, after_nanos: int) -> AsyncGenerator[EngineEvent, None]:
        params = {"since": str(after_nanos // 1_000_000_000), "filters": '{"type": ["container"]}'}
        try:
            async with (
                self._socket.stream("GET", "events", params=params) as content,
                aclosing(json_lines(content.iter_any())) as lines,
            ):
                async for line in lines:
                    event = translate.event(line, label=label, after_nanos=after_nanos)
                    if event is not None:
                        yield event
        except Refusal as refusal:
            raise EngineUnavailable(refusal.message) from refusal
        raise EngineUnavailable("its event stream ended")

    async def logs(
        self, name: str, *, tail: int | None, since: datetime | None, follow: bool
    ) -> AsyncGenerator[LogChunk, None]:
        if not tail:
            async for chunk in self._log(name, tail=tail, since=since, follow=follow):
                yield chunk
            return
        written = await self._tail(name, lines=tail, since=since)
        if not follow:
            for chunk in written.lines:
                yield chunk
            return
        async for chunk in self._followed(name, written, since=since):
            yield chunk

    async def _followed(self, name: str, written: Found, *, since: datetime | None) -> AsyncGenerator[LogChunk, None]:
        """From the first of the lines on, so that none is lost between the two questions."""
        first_at = written.lines[0].at if written.lines else None
        skipped = 0
        # Engines differ in whether they give what was written in that very moment.
        begin = since if first_at is None else first_at - timedelta(seconds=1)
        async for chunk in self._log(name, tail=None, since=begin, follow=True):
            if first_at is not None:
                if chunk.at < first_at:
                    continue
                if chunk.at == first_at and skipped < written.same_moment_before:
                    skipped += 1
                    continue
            yield chunk

    async def _tail(self, name: str, *, lines: int, since: datetime | None) -> Found:
        for attempt in attempts(lines) if self._counts_frames else [LogTail(lines=lines, asked_frames=None)]:
            async with aclosing(self._log_frames(name, attempt.asked_frames, since, follow=False)) as frames:
                async for stream, frame in frames:
                    attempt.feed(stream, frame)
            found = attempt.end()
            if found is not None:
                return found
        raise AssertionError  # the last attempt asks for the whole log

    async def _log(
        self, name: str, *, tail: int | None, since: datetime | None, follow: bool
    ) -> AsyncGenerator[LogChunk, None]:
        lines = LogLines()
        async with aclosing(self._log_frames(name, tail, since, follow=follow)) as frames:
            async for stream, frame in frames:
                chunk = lines.feed(stream, frame)
                if chunk is not None:
                    yield chunk
        for chunk in lines.rest():
            yield chunk

    async def _log_frames(
        self, name: str, tail: int | None, since: datetime | None, *, follow: bool
    ) -> AsyncGenerator[tuple[StreamName, bytes], None]:
        params = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": str(int(follow))}
        params["tail"] = "all" if tail is None else str(tail)
        if since is not None:
            params["since"] = self._log_time(since)
        try:
            async with (
                self._socket.stream("GET", f"containers/{name}/logs", params=params) as content,
                aclosing(_frames(content)) as frames,
            ):
                async for frame in frames:
                    yield frame
        except Refusal as refusal:
            if refusal.status == 404:
                raise ContainerGone(name) from refusal
            raise

    async def stats(self, name: str) -> Stats:
        later = await self._sample(name)
        earlier = self._samples.get(later.container_id)
        interval = self._timeouts.stats_interval_seconds
        if earlier is None or not interval <= (later.at - earlier.at).total_seconds():
            await asyncio.sleep(interval)  # processor time is only known between two samples
            earlier, later = later, await self._sample(name)
        self._samples[later.container_id] = later
        self._samples.move_to_end(later.container_id)
        if len(self._samples) > MAX_KEPT_SAMPLES:
            self._samples.popitem(last=False)
        return samples.stats(earlier, later)

    async def put_file(self, name: str, path: str, content: bytes, *, mode: int = 0o644) -> None:
        archive = _archive(path, content, mode)
        try:
            await self._socket.call("PUT", f"containers/{name}/archive", params={"path": "/"}, content=archive)
        except Refusal as refusal:
            if refusal.status == 404:
                raise ContainerGone(name) from refusal
            raise

    async def aclose(self) -> None:
        await self._socket.aclose()

    async def _sample(self, name: str) -> samples.Sample:
        params = {"stream": "0", "one-shot": "1"}
        try:
            sample = samples.sample(await self._socket.call("GET", f"containers/{name}/stats", params=params))
        except Refusal as refusal:
            if refusal.status == 404:
                raise ContainerGone(name) from refusal
            raise
        if sample is None:
            raise ContainerNotRunning(name)
        return sample


async def _frames(content: aiohttp.StreamReader) -> AsyncGenerator[tuple[StreamName, bytes], None]:
    while head := await content.read(1):
        number, size = _FRAME_HEAD.unpack(head + await content.readexactly(_FRAME_HEAD.size - 1))
        if size > MAX_LOG_FRAME_BYTES or number not in _STREAMS:
            raise EngineUnavailable("its log stream is not one")
        yield _STREAMS[number], await content.readexactly(size)


def _archive(path: str, content: bytes, mode: int) -> bytes:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.size = len(content)
    member.mode = mode
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
