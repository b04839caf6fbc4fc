"""Spans leave for a collector by OTLP over HTTP, in batches, from a thread; `OTEL_*` variables say where and how."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from threading import Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from spunto.adapters.opentelemetry.tracing import Tracing

FLUSH_SECONDS: Final = 3.0
"""How long a stopping server waits for a collector that may be dead."""


@asynccontextmanager
async def exported(*, version: str) -> AsyncIterator[Tracing]:
    """At the end what is left is sent, or given up."""
    exporter = OTLPSpanExporter()
    tracing = Tracing(BatchSpanProcessor(exporter), version=version)
    try:
        yield tracing
    finally:
        ended: Future[None] = Future()
        # A daemon, because the process must not wait for it: neither the SDK nor the exporter takes a deadline.
        Thread(target=_end, args=(tracing, ended), name="last spans", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await asyncio.wrap_future(ended)
        if not ended.done():
            exporter.shutdown()  # type: ignore[no-untyped-call]  # the library's own gap


def _end(tracing: Tracing, ended: "Future[None]") -> None:
    # From here on the waiting side can't cancel it.
    ended.set_running_or_notify_cancel()
    tracing.shut_down()
    ended.set_result(None)
