"""Which ports `spunto port-forward` is given, and when it ends."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
import typer

from spunto.client.errors import NotNow, Problem
from spunto.client.tunnel import Tunnel
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Forbidden
from spunto.entrypoints.cli.exits import ExitCode, exit_code_of
from spunto.entrypoints.cli.forwarded import Forwarded
from spunto.entrypoints.cli.forwarding import ports_of
from spunto.entrypoints.cli.session import Session


@pytest.mark.parametrize(
    ("text", "ports"), [("3000", (3000, 3000)), ("8080:3000", (8080, 3000)), ("0:65535", (0, 65535))]
)
def test_the_local_port_is_the_worker_s_unless_another_is_said(text: str, ports: tuple[int, int]) -> None:
    assert ports_of(text) == ports


@pytest.mark.parametrize("text", ["", "0", "65536", "65536:1", "1:0", "a", "1:2:3", ":1", "1:", "-1", "١", "80\n"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        ports_of(text)


async def test_whoever_cannot_start_a_stopped_worker_is_told_so_and_it_ends() -> None:
    forwarded = Forwarded(refused_with("worker_stopped"), WORKER, 3000, telling=asyncio.Lock())

    with pytest.raises(Forbidden) as refused:
        await forwarded.try_it()

    assert (exit_code_of(refused.value), "workers:write" in refused.value.message) == (ExitCode.DENIED, True)


async def test_where_nobody_listens_yet_it_goes_on() -> None:
    session = refused_with("nobody_listens")

    await Forwarded(session, WORKER, 3000, telling=asyncio.Lock()).try_it()

    assert session.out.notes == ["0: Not now."]  # type: ignore[attr-defined]  # the test's own


WORKER = cast("Worker", SimpleNamespace(name="one"))


class Out:
    as_json = False

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def refused_with(code: str) -> Session:
    class Workers:
        async def tunnel(self, worker: Worker, port: int) -> Tunnel:
            raise NotNow(Problem(status=503, code=code, title="Not now", detail="Not now."))

    client = SimpleNamespace(workers=Workers())
    return cast("Session", SimpleNamespace(client=client, out=Out()))
