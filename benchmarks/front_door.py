"""The list of 50 workers through an edge, as a box's front door passes it on, against the same server without it."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.figures import Row, median
from benchmarks.listing import ROUNDS, SECONDS, WORKERS, listed_workers
from benchmarks.load import CONNECTIONS, load
from benchmarks.stack import Server, free_port, organization, process, server, wait_until_ready
from spunto.core.access.model import OrgId
from spunto.entrypoints.box.places import edge_token_file

GOAL = 0.9


def measure() -> list[Row]:
    with server() as running, _edge(running) as door:
        with httpx.Client(headers=running.headers) as client:
            org_id = organization(client, running)
        target = listed_workers(running, OrgId(org_id), None)
        through = target.replace(running.url, door)
        with_it, without = [], []
        for _ in range(ROUNDS):
            without.append(load(target, running.headers, seconds=SECONDS).per_second)
            with_it.append(load(through, running.headers, seconds=SECONDS).per_second)
    return [
        Row(
            name=f"list of {WORKERS} workers through the front door against without it, {CONNECTIONS} connections",
            figure=median(with_it) / median(without),
            unit="×",
            goal=GOAL,
            better="higher",
            detail=f"with {median(with_it):.0f}/s, without {median(without):.0f}/s; medians of {ROUNDS}",
        )
    ]


@contextmanager
def _edge(of: Server) -> Iterator[str]:
    port = free_port()
    environment = {
        "SPUNTO_EDGE_PORT": str(port),
        "SPUNTO_EDGE_SERVER": of.url,
        "SPUNTO_EDGE_TOKEN_FILE": str(edge_token_file(of.data_dir)),
        "SPUNTO_EDGE_LOG_LEVEL": "error",
    }
    url = f"http://127.0.0.1:{port}"
    with process("spunto.entrypoints.edge.main", environment=environment):
        wait_until_ready(url)
        yield url
