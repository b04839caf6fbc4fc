"""How much has been copied: a live line on a terminal, silence elsewhere. On stderr."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from spunto.entrypoints.cli.output import Output, printable

Count = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]


@contextmanager
def counting(out: Output, name: str) -> Iterator[Count]:
    """Gives what passes pieces on and counts them."""
    if out.as_json or not sys.stderr.isatty():
        yield _passed_on
        return
    # rich is slow to import, and pipes don't need it.
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task(printable(name), total=None)

        async def counted(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for piece in pieces:
                yield piece
                progress.advance(line, len(piece))

        yield counted


def _passed_on(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return pieces
