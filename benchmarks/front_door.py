"""The list of 50 workers through a box's front door, where an edge stands before the server, against a server alone."""

import httpx

from benchmarks.figures import Row, median
from benchmarks.listing import ROUNDS, SECONDS, WORKERS, listed_workers
from benchmarks.load import CONNECTIONS, load
from benchmarks.stack import Server, box, organization, server
from spunto.core.access.model import OrgId

GOAL = 0.9


def measure() -> list[Row]:
    with server() as alone, box() as boxed:
        targets = {each.url: _listed(each) for each in (alone, boxed)}
        with_it, without = [], []
        for _ in range(ROUNDS):
            without.append(load(targets[alone.url], alone.headers, seconds=SECONDS).per_second)
            with_it.append(load(targets[boxed.url], boxed.headers, seconds=SECONDS).per_second)
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


def _listed(running: Server) -> str:
    with httpx.Client(headers=running.headers) as client:
        return listed_workers(running, OrgId(organization(client, running)), None)
