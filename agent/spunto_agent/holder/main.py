"""The holder's process: one for each directory, from its socket's first moment to a signal."""

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from spunto.core.executor.terminals.port import Shell, Wish
from spunto.core.executor.terminals.sessions import Sessions
from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import SpuntoError
from spunto_agent.holder.code import installed_code
from spunto_agent.holder.places import lock_file, short_path, socket_file
from spunto_agent.holder.records import Records
from spunto_agent.holder.server import EngineWish, HolderServer
from spunto_agent.holder.shell import Place, begun, hang_up
from spunto_agent.holder.spill import FileSpill

MEMORY_BYTES: Final = 4 * 1024 * 1024
IDLE_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 15.0
_AGAIN_SECONDS: Final = 5.0
_USAGE: Final = "usage: python -m spunto_agent.holder DIRECTORY [--until-idle]\n"


def main(arguments: Sequence[str]) -> int:
    """0 after a signal, when another holder is there already, or with --until-idle when nobody needs it any more."""
    match list(arguments):
        case [directory] if not directory.startswith("-"):
            return _run(Path(directory), until_idle=False)
        case [directory, "--until-idle"]:
            return _run(Path(directory), until_idle=True)
    sys.stderr.write(_USAGE)
    return 2


def _run(directory: Path, *, until_idle: bool) -> int:
    os.umask(0o077)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(lock_file(directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    asyncio.run(_hold(directory, until_idle=until_idle))
    return 0


async def _hold(directory: Path, *, until_idle: bool) -> None:
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    records = Records(directory)
    left = records.left()

    async def start(session: str, wish: Wish) -> Shell:
        assert isinstance(wish, EngineWish)  # noqa: S101 - all that come by the socket
        place = Place(engine=wish.engine, url=wish.url, container=wish.container, mark=session)
        records.add(place)
        try:
            return await begun(place, wish.size)
        except BaseException:
            records.drop(session)
            raise

    sessions = Sessions(
        start,
        clock=SystemClock(),
        memory_bytes=MEMORY_BYTES,
        new_spill=lambda: FileSpill.below(directory),
        ended=records.drop,
        lost=[each.mark for each in left],
        log=log,
    )

    def retire() -> bool:
        if not sessions.ids:
            ending.set()
        return not sessions.ids

    server = HolderServer(sessions, build=installed_code(), retire=retire, log=log)
    path = socket_file(directory)
    path.unlink(missing_ok=True)
    async with asyncio.TaskGroup() as group, asyncio.TaskGroup() as connections:
        with short_path(path) as short:
            listening = await asyncio.start_unix_server(server.accept(connections), short)
        tasks = [
            group.create_task(sessions.run(), name="sessions"),
            group.create_task(_tidy(records, left), name="what was left"),
        ]
        if until_idle:
            tasks.append(group.create_task(_end_when_idle(server, sessions, ending), name="idle"))
        await ending.wait()
        listening.close()
        await sessions.aclose()
        for task in tasks:
            task.cancel()
        server.close()


async def _tidy(records: Records, left: Sequence[Place]) -> None:
    """Hang up what a holder before this one held, as soon as the engine answers."""
    waiting = list(left)
    while waiting:
        for place in list(waiting):
            with suppress(SpuntoError):
                await hang_up(place)
                records.drop(place.mark)
                waiting.remove(place)
                log("terminal_lost", session=place.mark, container=place.container)
        if waiting:
            await asyncio.sleep(_AGAIN_SECONDS)


async def _end_when_idle(server: HolderServer, sessions: Sessions, ending: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    while server.is_used or sessions.ids or loop.time() - server.used_at < IDLE_SECONDS:  # noqa: ASYNC110 - nobody tells of all that
        await asyncio.sleep(_LOOK_SECONDS)
    ending.set()


def log(event: str, /, **fields: object) -> None:
    """For people and journals; whoever read it may have died long ago."""
    said = " ".join(f"{name}={value!r}" for name, value in fields.items())
    with suppress(OSError):
        sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {event} {said}\n")
        sys.stderr.flush()
