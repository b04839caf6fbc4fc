"""Whether the standard variables of OpenTelemetry ask for traces, and what is told then."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.serving.telemetry import Telemetry

if TYPE_CHECKING:
    from spunto.adapters.opentelemetry.tracing import Tracing

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
DISABLED: Final = "OTEL_SDK_DISABLED"
PROTOCOL: Final = "http/protobuf"


def tracing_asked(environment: Mapping[str, str]) -> bool:
    """Whether spans are to be exported. Raises Invalid for an exporter or a protocol that there is not."""
    exporter = environment.get(EXPORTER, "")
    if environment.get(DISABLED, "").lower() == "true" or exporter == "none":
        return False
    if not exporter and not any(environment.get(name) for name in ENDPOINTS):
        return False
    if exporter not in ("", "otlp"):
        raise Invalid("invalid_settings", f"{EXPORTER} can be `otlp` or `none`, not {exporter!r}")
    name = next((name for name in PROTOCOLS if environment.get(name)), "")
    if name and environment[name] != PROTOCOL:
        raise Invalid("invalid_settings", f"{name} can be {PROTOCOL!r} only, not {environment[name]!r}")
    return True


@asynccontextmanager
async def traced(telemetry: Telemetry, environment: Mapping[str, str]) -> AsyncIterator[Telemetry]:
    """With traces added where they are asked for; nothing of OpenTelemetry is imported otherwise.

    Raises Invalid, also where the extra is not installed."""
    if not tracing_asked(environment):
        yield telemetry
        return
    try:
        from spunto.adapters.opentelemetry.otlp import exported
    except ModuleNotFoundError as error:
        raise Invalid(
            "invalid_settings",
            "OTEL_* variables ask for traces, but OpenTelemetry is not installed: run `pip install 'spunto[tracing]'`, "
            f"or set {DISABLED}=true",
        ) from error
    async with exported(version=version("spunto")) as tracing:
        yield also_to(tracing, telemetry)


def also_to(tracing: "Tracing", telemetry: Telemetry) -> Telemetry:
    """Tells both of them."""

    @contextmanager
    def around_item(kind: str, subject_id: str) -> Iterator[None]:
        with telemetry.around_item(kind, subject_id), tracing.around_item(kind, subject_id):
            yield

    def request_took(method: str, route: str, status: int, seconds: float) -> None:
        telemetry.request_took(method, route, status, seconds)
        tracing.request_took(method, route, status, seconds)

    return replace(
        telemetry,
        around_item=around_item,
        around_transaction=tracing.around_transaction,
        around_statement=tracing.around_statement,
        stand_before=tracing.stand_before,
        request_came=tracing.request_came,
        request_took=request_took,
    )
