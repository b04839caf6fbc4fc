"""One span a request and a WebSocket: below the caller's, with the route and nothing that could be a secret."""

from collections.abc import AsyncIterator

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs
from tests.unit.entrypoints.http.house import House, build_house
from tests.unit.entrypoints.http.site import Site, a_node, id_of, open_site
from tests.unit.entrypoints.ws.visitor import Visitor

from spunto.adapters.opentelemetry.tracing import Tracing
from spunto.entrypoints.serving.telemetry import SILENT, Telemetry
from spunto.entrypoints.serving.tracing import also_to
from spunto.entrypoints.ws.agent_doors import PATH

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": "a-request-of-mine"}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(exporter: InMemorySpanExporter) -> Telemetry:
    return also_to(Tracing(SimpleSpanProcessor(exporter), version="1"), SILENT)


@pytest.fixture
def house(telemetry: Telemetry) -> House:
    return build_house(telemetry=telemetry)


@pytest.fixture
async def site(telemetry: Telemetry) -> AsyncIterator[Site]:
    async with open_site(telemetry=telemetry) as site:
        yield site


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


async def test_a_request_is_a_span_below_its_caller_s(house: House, exporter: InMemorySpanExporter) -> None:
    ann = await house.person("ann")

    await house.call(ann, "GET", f"/api/orgs/{ann.org_id}", headers=CALLER)

    span = only(exporter)
    assert span.parent is not None
    assert f'"trace_id": "0x{TRACE}"' in span.to_json()
    assert trace.format_span_id(span.parent.span_id) == "b7ad6b7169203331"
    assert (span.name, span.kind) == ("GET /api/orgs/{orgId}", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/api/orgs/{orgId}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "spunto.request_id": "a-request-of-mine",
    }


async def test_without_a_good_traceparent_the_trace_is_a_new_one(house: House, exporter: InMemorySpanExporter) -> None:
    await house.client.get("/healthz", headers={"traceparent": "00-not-a-traceparent"})

    assert only(exporter).parent is None


async def test_what_the_caller_does_not_sample_is_not_exported(house: House, exporter: InMemorySpanExporter) -> None:
    await house.client.get("/healthz", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"})

    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [("GET", "/nowhere/planted", "GET"), ("PLANTED", "/nowhere", "HTTP"), ("GET", "/readyz", "GET /readyz")],
)
async def test_what_is_invented_names_no_span(
    house: House, exporter: InMemorySpanExporter, method: str, path: str, name: str
) -> None:
    await house.client.open(path, method=method, headers={"Cookie": "session=planted", "User-Agent": "planted"})

    assert only(exporter).name == name
    assert "planted" not in only(exporter).to_json().lower()


async def test_what_the_guards_refuse_is_a_span_too(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    house = build_house(telemetry=telemetry, hosts=frozenset({"here"}))

    await house.client.get("/", headers={"Host": "there", **CALLER})

    about = only(exporter).attributes or {}
    assert (about["http.response.status_code"], about["spunto.request_id"]) == (421, "a-request-of-mine")


async def test_tokens_in_paths_and_queries_are_not_told(house: House, exporter: InMemorySpanExporter) -> None:
    await house.client.get("/invitations/planted")
    await house.client.get("/api/auth/bootstrap?code=planted")

    spans = exporter.get_finished_spans()
    assert len(spans) == 2
    assert "planted" not in "".join(span.to_json() for span in spans)


async def test_a_bug_makes_the_span_an_error_without_its_text(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    async def broken() -> None:
        raise RuntimeError("planted")

    await build_house(telemetry=telemetry, readiness=broken).client.get("/readyz")

    span = only(exporter)
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "500")
    assert "planted" not in span.to_json()


async def test_the_line_of_a_request_names_its_trace(house: House) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        await house.client.get("/api/orgs", headers=CALLER)

    assert [line["trace_id"] for line in logged if line["event"] == "request"] == [TRACE]


async def test_a_socket_is_a_span_whether_it_was_let_in_or_not(site: Site, exporter: InMemorySpanExporter) -> None:
    await a_node(site)
    target = f"/api/workers/{id_of(await site.worker())}/terminal"
    exporter.clear()

    async with Visitor(site.house.app, target, CALLER) as refused:
        await refused.refusal()
    async with Visitor(site.house.app, target, {**site.owner.bearer, **CALLER}) as visitor:
        await visitor.ready()

    spans = exporter.get_finished_spans()
    assert [(span.name, (span.attributes or {})["http.response.status_code"]) for span in spans] == [
        ("GET /api/workers/{workerId}/terminal", 401),
        ("GET /api/workers/{workerId}/terminal", 101),
    ]
    assert [(span.attributes or {})["spunto.request_id"] for span in spans] == ["a-request-of-mine"] * 2


async def test_an_agent_s_socket_is_a_span_and_its_token_is_not_told(
    house: House, exporter: InMemorySpanExporter
) -> None:
    async with Visitor(house.app, f"{PATH}?token=planted", {}):
        pass

    assert only(exporter).name == f"GET {PATH}"
    assert "planted" not in only(exporter).to_json()


async def test_what_comes_after_the_answer_belongs_to_no_span(house: House) -> None:
    seen: list[bool] = []

    @house.app.before_request
    async def before() -> None:
        seen.append(trace.get_current_span().is_recording())

    @house.app.teardown_request
    async def afterwards(_: BaseException | None) -> None:
        seen.append(trace.get_current_span().is_recording())

    await house.client.get("/healthz")

    assert seen == [True, False]
