"""`spunto port-forward`: ports of this machine that lead to ports of a worker, for any protocol."""

import asyncio
import re
from contextlib import AsyncExitStack
from typing import Annotated, Final

import typer

from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Conflict
from spunto.entrypoints.cli.forwarded import Forwarded
from spunto.entrypoints.cli.options import WorkerArgument
from spunto.entrypoints.cli.output import printable
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

_HOST: Final = "127.0.0.1"
_PORTS: Final = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,5})\Z", re.ASCII)
_LARGEST: Final = 65535

app = typer.Typer(add_completion=False)


@command(app)
async def port_forward(
    session: Session,
    worker: WorkerArgument,
    ports: Annotated[
        list[str], typer.Argument(metavar="[LOCAL:]REMOTE…", help="0 as LOCAL takes any free port.", show_default=False)
    ],
) -> None:
    """Lead ports of this machine to ports of a worker.

    For any protocol, until Ctrl-C. A stopped worker starts by it. Only programs on this machine get through, as whoever
    is logged in.
    """
    wanted = [ports_of(each) for each in ports]
    found = await session.client.workers.get(await session.worker(worker))
    telling = asyncio.Lock()
    async with AsyncExitStack() as stack:
        forwarded = [
            await stack.enter_async_context(await _listening(session, found, local, remote, telling=telling))
            for local, remote in wanted
        ]
        for each in forwarded:
            _tell(session, each)
        async with asyncio.TaskGroup() as group:
            for each in forwarded:
                group.create_task(each.try_it(), name=f"try {each.remote}")
        await asyncio.get_running_loop().create_future()


def ports_of(text: str) -> tuple[int, int]:
    """`3000` or `8080:3000`: the local port and the worker's."""
    match = _PORTS.match(text)
    if match is None or not 1 <= int(match[2]) <= _LARGEST or int(match[1] or 0) > _LARGEST:
        raise typer.BadParameter(f"{text!r} is not [LOCAL:]REMOTE, such as 3000 or 8080:3000.")
    return int(match[2] if match[1] is None else match[1]), int(match[2])


async def _listening(session: Session, worker: Worker, local: int, remote: int, *, telling: asyncio.Lock) -> Forwarded:
    forwarded = Forwarded(session, worker, remote, telling=telling)
    try:
        await forwarded.listen(_HOST, local)
    except OSError as error:
        raise Conflict(
            "port_taken", f"Can't listen on {_HOST}:{local}: {error.strerror}. Take another one with LOCAL:{remote}."
        ) from error
    return forwarded


def _tell(session: Session, forwarded: Forwarded) -> None:
    local = f"{_HOST}:{forwarded.local}"
    if session.out.as_json:
        session.out.json({"local": local, "port": forwarded.remote, "workerId": forwarded.worker.id})
    else:
        session.out.text(f"{local} leads to port {forwarded.remote} of {printable(forwarded.worker.name)}\n")
