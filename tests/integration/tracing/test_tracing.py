"""A server that is told of a collector sends it what happened, and nothing that is secret."""

import time
from pathlib import Path

import httpx
import orjson
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.fixtures.processes import Server, running_server, server_of
from tests.integration.tracing.collector import a_collector, a_dead_collector, attributes

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "a-request-of-mine"}
PLANTED = "p1anted-canary"
# The flush gives up after three seconds; the rest is what a server takes to stop.
STOP_SECONDS = 8.0


# Nobody is invited where nobody could sign in.
SIGN_IN = {"SPUNTO_OIDC_CLIENT_ID": "spunto"}


def invite(server: Server) -> str:
    """Somebody by mail, as part of the caller's trace; the invitation's link."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.owner_token}"}) as client:
        (organization,) = client.get("/api/orgs").json()["items"]
        path = f"/api/orgs/{organization['id']}/invites"
        body = {"email": f"{PLANTED}@example.org", "role": "member"}
        made = client.post(path, json=body, headers=CALLER).raise_for_status()
        assert made.headers["X-Request-Id"] == "a-request-of-mine"
        return str(made.json()["url"])


def walk_past(server: Server, link: str) -> None:
    """With secrets wherever a request can hold one."""
    for path in (
        link.removeprefix(server.url),
        f"/invitations/{PLANTED}",
        f"/api/auth/bootstrap?code={PLANTED}",
        f"/{PLANTED}",
    ):
        httpx.get(server.url + path, headers={"Authorization": f"Bearer {PLANTED}", "Cookie": f"session={PLANTED}"})


@pytest.mark.long
def test_a_request_and_what_it_causes_reach_the_collector(tmp_path: Path) -> None:
    with a_collector() as collector:
        environment = {**SIGN_IN, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "spunto-test"}
        with running_server(tmp_path, environment=environment) as server:
            token, link = server.owner_token, invite(server)
            walk_past(server, link)
            # What is left is sent when it stops, or this would have to wait for the batch.
            assert server.stop() == 0

    assert collector.services == {"spunto-test"}
    (request,) = collector.named("POST /api/orgs/{orgId}/invites")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert request.kind == Span.SPAN_KIND_SERVER
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/api/orgs/{orgId}/invites",
        "http.response.status_code": 201,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "spunto.request_id": "a-request-of-mine",
    }
    own = {span.span_id: span for span in collector.spans if span.trace_id.hex() == TRACE}
    (transaction,) = [span for span in own.values() if span.name == "transaction"]
    inserts = [span for span in own.values() if span.name == "INSERT invitations"]
    assert transaction.parent_span_id == request.span_id
    assert [span.parent_span_id for span in inserts] == [transaction.span_id]

    mails = collector.named("reconcile invitation_mail")
    assert mails
    assert {span.status.code for span in mails} == {Status.STATUS_CODE_UNSET}

    logged = [orjson.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    lines = [line for line in logged if line.get("request_id") == "a-request-of-mine"]
    assert [line["trace_id"] for line in lines if line["event"] == "request"] == [TRACE]
    for secret in (token, link.rpartition("/")[2], PLANTED):
        assert secret.encode() not in collector.raw


@pytest.mark.long
def test_a_socket_is_a_span(tmp_path: Path) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with (
        a_collector() as collector,
        running_server(tmp_path, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as server,
    ):
        path = f"/api/agent/connect?token={PLANTED}"
        answer = httpx.get(server.url + path, headers={**upgrade, **key, **CALLER})
        assert server.stop() == 0

    (span,) = collector.named("GET /api/agent/connect")
    assert (span.trace_id.hex(), attributes(span)["http.response.status_code"]) == (TRACE, answer.status_code)
    assert PLANTED.encode() not in collector.raw


@pytest.mark.long
@pytest.mark.parametrize("kind", ["silent", "gone"])
def test_a_dead_collector_does_not_hold_up_the_end(tmp_path: Path, kind: str) -> None:
    with a_dead_collector() as silent:
        endpoint = silent if kind == "silent" else "http://127.0.0.1:1"
        with running_server(tmp_path, environment={**SIGN_IN, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}) as server:
            invite(server)
            begun = time.monotonic()

            exit_code = server.stop()

    assert exit_code == 0
    assert time.monotonic() - begun < STOP_SECONDS


def test_a_start_that_can_t_be_traced_is_refused_in_one_line(tmp_path: Path) -> None:
    server = server_of(tmp_path, environment={"OTEL_TRACES_EXPORTER": "zipkin"})

    server.start()

    assert server.wait(seconds=30) == 78
    assert "OTEL_TRACES_EXPORTER can be `otlp` or `none`, not 'zipkin'" in server.log.read_text()
