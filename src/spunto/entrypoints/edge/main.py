"""`spunto edge`: the edge by itself, and as `spunto up` runs it."""

import asyncio
import gc
import signal
import socket
import sys

import uvloop

from spunto.entrypoints.edge.serving import serve
from spunto.entrypoints.edge.settings import EdgeSettings
from spunto.entrypoints.serving.failures import ended
from spunto.entrypoints.serving.listening import listening_on
from spunto.entrypoints.serving.logs import configure_logs


def run() -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    return ended(_run)


def _run() -> None:
    settings = EdgeSettings()
    configure_logs(settings.log_format, settings.log_level)
    with listening_on(settings.host, settings.port) as listener:
        uvloop.run(_main(settings, listener))


async def _main(settings: EdgeSettings, listener: socket.socket) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    # What was imported lives on; collections need not look at it again.
    gc.collect()
    gc.freeze()
    await serve(settings, listener, stopping=stopping)


if __name__ == "__main__":
    sys.exit(run())
