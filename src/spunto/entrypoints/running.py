"""The server process, from its settings to its end."""

import asyncio
import gc
import os
import shlex
import signal
import socket
from contextlib import suppress

import structlog
import uvloop

from spunto.core.kernel.loopback import programs_url
from spunto.entrypoints.box.box import Box
from spunto.entrypoints.box.places import owner_token_file
from spunto.entrypoints.library import NoKeyring, Spunto
from spunto.entrypoints.neighbours import listening_for_replicas
from spunto.entrypoints.server import listening, serve
from spunto.entrypoints.serving.data_directory import make_data_dir
from spunto.entrypoints.serving.failures import ended
from spunto.entrypoints.serving.logs import configure_logs
from spunto.entrypoints.serving.settings import Settings

log = structlog.get_logger()

_DOOR_SECONDS = 0.05


def run(*, box: bool = False, demo: bool = False, await_node: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    return ended(lambda: _serve(box=box, demo=demo, await_node=await_node))


def _serve(*, box: bool, demo: bool, await_node: bool) -> None:
    settings = Settings()
    configure_logs(settings.log_format, settings.log_level)
    # Before anything else: a second server on the port must not get as far as the database.
    with listening(settings) as listener, listening_for_replicas(settings) as replica_listener:
        if settings.database_url is None:
            make_data_dir(settings.data_dir.resolve())
        uvloop.run(_main(settings, listener, replica_listener, box=box, demo=demo, await_node=await_node))


async def _main(
    settings: Settings,
    listener: socket.socket,
    replica_listener: socket.socket | None,
    *,
    box: bool,
    demo: bool,
    await_node: bool,
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with asyncio.TaskGroup() as group:

        async def prepare(spunto: Spunto) -> None:
            if box:
                own = Box(spunto, settings.data_dir)
                boxes.append(own)
                greeting = await _greeting(own, settings)
                preparing.append(group.create_task(_greet(greeting, settings), name="greeting"))
                if demo:
                    preparing.append(group.create_task(own.prepare_demo(settings.worker_image), name="demo"))
            # What was made so far lives on; collections need not look at it again.
            gc.collect()
            gc.freeze()

        async def node_missing() -> str | None:
            return await boxes[0].node_missing()

        boxes: list[Box] = []
        preparing: list[asyncio.Task[None]] = []
        await serve(
            settings,
            listener,
            prepare=prepare,
            stopping=stopping,
            no_keyring=_no_keyring(settings, box=box),
            replica_listener=replica_listener,
            obstacle=node_missing if await_node else None,
        )
        for task in preparing:
            task.cancel()


def _no_keyring(settings: Settings, *, box: bool) -> NoKeyring:
    """A hosted server may have others beside it, or lose its disk; what it encrypts must outlive both."""
    is_alone = settings.keyring is None and (box or settings.database.startswith("sqlite"))
    return NoKeyring.MAKE if is_alone else NoKeyring.REFUSE


async def _greeting(box: Box, settings: Settings) -> str:
    own_url = programs_url(settings.url)
    code = await box.prepare(own_url)
    token_file = owner_token_file(settings.data_dir)
    program = os.environ.get("SPUNTO_PROGRAM", "spunto")
    login = shlex.join([program, "login", "--url", own_url, "--token-file", str(token_file)])
    lines = (
        f"Spunto     {settings.url}",
        f"Sign in    {settings.url}/api/auth/bootstrap?code={code.reveal()}   (once, within 10 minutes)",
        f"Terminal   {login}",
    )
    return "\n".join(lines)


async def _greet(greeting: str, settings: Settings) -> None:
    """Once the addresses in it are answered, which behind a front door takes a moment longer than the server."""
    while settings.socket is not None and not await _answers(settings.host, settings.port):  # noqa: ASYNC110 - another process listens there
        await asyncio.sleep(_DOOR_SECONDS)
    print(greeting, flush=True)  # noqa: T201 - this is for the person who started it, not for the log


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
