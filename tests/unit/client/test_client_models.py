"""Answers of servers of other ages."""

from spunto.client.nodes import NodeCredentials
from spunto.client.worker_models import Stats, Worker

WORKER = {
    "id": "wkr_1",
    "orgId": "org_1",
    "projectId": "prj_1",
    "name": "quiet-fox",
    "state": "ready",
    "createdAt": "2026-01-01T00:00:00Z",
}


def test_a_field_of_a_later_server_is_kept() -> None:
    worker = Worker.model_validate({**WORKER, "mood": {"isGood": True}})

    assert worker.to_wire()["mood"] == {"isGood": True}


def test_a_state_of_a_later_server_is_no_error() -> None:
    assert Worker.model_validate({**WORKER, "state": "hibernating"}).state == "hibernating"


def test_what_came_goes_out_the_same() -> None:
    wire = Worker.model_validate(WORKER).to_wire()

    assert {field: wire[field] for field in WORKER} == WORKER


def test_the_wire_says_camel_case() -> None:
    stats = Stats.model_validate(
        {"cpuPercent": 1.5, "memoryBytes": 2, "networkRxBytes": 3, "sampledAt": "2026-01-01T00:00:00Z"}
    )

    assert (stats.cpu_percent, stats.memory_bytes, stats.network_rx_bytes) == (1.5, 2, 3)


def test_a_token_shows_only_on_the_wire() -> None:
    node = {"id": "nod_1", "orgId": "org_1", "name": "n", "status": "online", "createdAt": "2026-01-01T00:00:00Z"}
    made = NodeCredentials.model_validate(
        {"node": node, "token": "spn_sesame", "installCommand": "curl spn_sesame", "cloudInit": "token: spn_sesame"}
    )

    assert "sesame" not in f"{made!r} {made}"
    assert made.to_wire()["token"] == "spn_sesame"
