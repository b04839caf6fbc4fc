"""Spans of subjects and of the database: below whom they stand, and that they tell no more than they should."""

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from structlog.contextvars import get_contextvars

from spunto.adapters.opentelemetry.tracing import Tracing
from spunto.core.kernel.errors import Conflict


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing(SimpleSpanProcessor(exporter), version="1.2.3")


async def test_statements_stand_below_their_transaction_and_that_below_its_subject(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with tracing.around_item("worker", "wkr_1"), tracing.around_transaction():
        with tracing.around_statement("sqlite", "UPDATE", "workers"):
            pass
        with tracing.around_statement("sqlite", "COMMIT", ""):
            pass

    update, commit, transaction, item = exporter.get_finished_spans()
    assert [each.name for each in (update, commit, transaction, item)] == [
        "UPDATE workers",
        "COMMIT",
        "transaction",
        "reconcile worker",
    ]
    assert item.parent is None
    assert transaction.parent == item.get_span_context()
    assert update.parent == commit.parent == transaction.get_span_context()
    assert dict(update.attributes or {}) == {
        "db.system.name": "sqlite",
        "db.operation.name": "UPDATE",
        "db.collection.name": "workers",
    }
    assert dict(item.attributes or {}) == {"spunto.subject.kind": "worker", "spunto.subject.id": "wkr_1"}


async def test_a_subject_s_trace_is_bound_to_the_log_and_is_still_when_its_failure_is_told(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with pytest.raises(ValueError, match="planted"), tracing.around_item("worker", "wkr_1"):
        raise ValueError("planted")

    (item,) = exporter.get_finished_spans()
    assert get_contextvars()["trace_id"] == item.to_json().partition('"trace_id": "0x')[2][:32]


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError("planted"), "ValueError"), (Conflict("lease_lost", "planted"), "lease_lost")]
)
async def test_of_an_error_only_its_kind_or_code_is_told(
    tracing: Tracing, exporter: InMemorySpanExporter, error: Exception, told: str
) -> None:
    with pytest.raises(type(error)), tracing.around_item("worker", "wkr_1"):
        raise error

    (item,) = exporter.get_finished_spans()
    assert (item.attributes or {})["error.type"] == told
    assert item.status.status_code is StatusCode.ERROR
    assert "planted" not in item.to_json()


def test_the_database_alone_begins_no_trace(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    with tracing.around_transaction(), tracing.around_statement("sqlite", "SELECT", "due"):
        pass

    assert exporter.get_finished_spans() == ()


async def test_the_operator_names_the_service(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    def resource() -> dict[str, object]:
        exporter.clear()
        with Tracing(SimpleSpanProcessor(exporter), version="1.2.3").around_item("worker", "wkr_1"):
            pass
        (item,) = exporter.get_finished_spans()
        return dict(item.resource.attributes)

    unnamed = resource()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    named = resource()

    assert (unnamed["service.name"], unnamed["service.version"]) == ("spunto", "1.2.3")
    assert (named["service.name"], named["deployment.environment.name"]) == ("mine", "test")
