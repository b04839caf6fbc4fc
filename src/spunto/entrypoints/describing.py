"""The API as a server of this version would describe it, without a server: for `spunto openapi` and the docs."""

import asyncio
import sys
from typing import Any

import orjson
from quart import Quart

from spunto.entrypoints.http.openapi.document import document_of
from spunto.entrypoints.http.streaming import Streams
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.server import application
from spunto.entrypoints.serving.failures import ended
from spunto.entrypoints.serving.settings import Settings
from spunto.entrypoints.ws.sockets import Sockets


async def described_application(settings: Settings) -> Quart:
    """An application to read routes from; nothing stands behind it any more."""
    async with Spunto.in_memory() as spunto:
        return application(spunto, settings, Sockets(), Streams(spunto.wakeups), asyncio.Event())


async def document(settings: Settings) -> dict[str, Any]:
    return document_of(await described_application(settings), url=settings.url)


def run() -> int:
    """Print the document; the exit code."""
    return ended(_print)


def _print() -> None:
    body = orjson.dumps(asyncio.run(document(Settings())), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.buffer.write(body)
