"""Which variables turn traces on, and what happens where they can't be had."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.serving.telemetry import SILENT, Telemetry
from spunto.entrypoints.serving.tracing import traced, tracing_asked

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_the_standard_variables_turn_traces_on_and_off(environment: Mapping[str, str], asked: bool) -> None:
    assert tracing_asked(environment) is asked


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (
            {
                **ENDPOINT,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
            },
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        ),
    ],
)
def test_what_there_is_not_is_refused_by_name(environment: Mapping[str, str], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        tracing_asked(environment)


async def test_unasked_nothing_is_added() -> None:
    telemetry = Telemetry()

    async with traced(telemetry, {}) as told:
        assert told is telemetry


async def test_without_the_extra_the_start_is_refused_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "spunto.adapters.opentelemetry.otlp", raising=False)

    with pytest.raises(Invalid, match=r"pip install 'spunto\[tracing\]'"):
        async with traced(SILENT, ENDPOINT):
            pass


def test_the_server_does_not_import_what_is_not_asked_for() -> None:
    """In a process of its own, because this one has tested the rest."""
    program = "import sys, spunto.entrypoints.running; print([name for name in sys.modules if 'opentelemetry' in name])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
