"""Spans of one process (docs/observability.md): requests, WebSockets, reconciled subjects, and the database below them.

Attributes are picked one by one. Paths, queries, headers, values of statements and texts of errors are not among them,
because any of them may hold a token.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bind_contextvars

from spunto.core.kernel.errors import SpuntoError

SWITCHING_PROTOCOLS: Final = 101
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER_METHOD: Final = "_OTHER"
_CALLER: Final = TraceContextTextMapPropagator()
_TAKEN_OVER: Final = frozenset({b"traceparent", b"tracestate"})


class Tracing:
    """Has a provider of its own, so that two servers in one process do not trace together."""

    def __init__(self, processor: SpanProcessor, *, version: str) -> None:
        self._provider = TracerProvider(resource=_resource(version), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("spunto", version)

    def shut_down(self) -> None:
        """Export what is left, for as long as the exporter tries."""
        self._provider.shutdown()

    def stand_before(self, application: Any) -> Any:
        """The ASGI application with a span around each request and each WebSocket."""

        async def traced(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] not in ("http", "websocket"):
                await application(scope, receive, send)
                return
            with self._span(_method_of(scope), _caller_of(scope), SpanKind.SERVER, _about(scope)) as span:
                # Those of HTTP are left as they are: who cuts a connection finds it by its `send`.
                told = send if scope["type"] == "http" else _noting_acceptance(span, send)
                await application(scope, receive, told)

        return traced

    def request_came(self, route: str, request_id: str) -> None:
        """Name the span that stands around us."""
        span = trace.get_current_span()
        if not span.is_recording():
            return
        if route:
            name: str = span.name  # type: ignore[attr-defined]  # every span of the SDK that records has one
            span.update_name(f"{name} {route}")
            span.set_attribute("http.route", route)
        if request_id:
            span.set_attribute("spunto.request_id", request_id)

    def request_took(self, method: str, route: str, status: int, seconds: float) -> None:
        _answered(trace.get_current_span(), status)

    @contextmanager
    def around_item(self, kind: str, subject_id: str) -> Iterator[None]:
        about = {"spunto.subject.kind": kind, "spunto.subject.id": subject_id}
        # A failure is logged after we are left, so the id stays bound; the loop has a task for each subject.
        with self._span(f"reconcile {kind}", Context(), SpanKind.INTERNAL, about):
            yield

    @contextmanager
    def around_transaction(self) -> Iterator[None]:
        """Also counts the wait for a connection. Without a span around it there is none."""
        if not trace.get_current_span().is_recording():
            yield
            return
        with _open(self._tracer, "transaction", None, SpanKind.INTERNAL, {}):
            yield

    @contextmanager
    def around_statement(self, system: str, operation: str, table: str) -> Iterator[None]:
        if not trace.get_current_span().is_recording():
            yield
            return
        about = {"db.system.name": system, "db.operation.name": operation}
        if table:
            about["db.collection.name"] = table
        with _open(self._tracer, f"{operation} {table}".strip(), None, SpanKind.CLIENT, about):
            yield

    @contextmanager
    def _span(self, name: str, parent: Context, kind: SpanKind, about: dict[str, str]) -> Iterator[Span]:
        with _open(self._tracer, name, parent, kind, about) as span:
            bind_contextvars(trace_id=trace.format_trace_id(span.get_span_context().trace_id))
            yield span


@contextmanager
def _open(
    tracer: trace.Tracer, name: str, parent: Context | None, kind: SpanKind, about: dict[str, str]
) -> Iterator[Span]:
    with tracer.start_as_current_span(
        name, parent, kind, about, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", error.code if isinstance(error, SpuntoError) else type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def _answered(span: Span, status: int) -> None:
    """What comes after belongs to no span: an answer, and even more a WebSocket, may go on for days."""
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))
    # Never detached: this is the context of the handler's task, which ends with the answer.
    contexts.attach(trace.set_span_in_context(trace.INVALID_SPAN))


def _noting_acceptance(span: Span, send: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def noting(event: Any) -> None:
        if event["type"] == "websocket.accept":
            _answered(span, SWITCHING_PROTOCOLS)
        await send(event)

    return noting


def _about(scope: Any) -> dict[str, str]:
    return {
        "http.request.method": _method_of(scope, other=_OTHER_METHOD),
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }


def _method_of(scope: Any, *, other: str = "HTTP") -> str:
    method: str = scope.get("method", "GET")
    return method if method in METHODS else other


def _caller_of(scope: Any) -> Context:
    carrier = {name.decode(): value.decode("latin1") for name, value in scope["headers"] if name in _TAKEN_OVER}
    return _CALLER.extract(carrier, Context())


def _resource(version: str) -> Resource:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES over what we are otherwise."""
    asked = OTELResourceDetector().detect().attributes
    return Resource.create({"service.name": "spunto", "service.version": version, **asked})
