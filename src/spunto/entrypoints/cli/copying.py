"""`spunto worker cp`: files between this machine and workers, and from worker to worker."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

import typer

from spunto.client.errors import NotThere
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Conflict, NotFound, SpuntoError
from spunto.core.kernel.packing import PIECE_BYTES, Packing
from spunto.entrypoints.cli import terminals
from spunto.entrypoints.cli.byte_progress import counting
from spunto.entrypoints.cli.exits import ExitCode
from spunto.entrypoints.cli.output import printable
from spunto.entrypoints.cli.running import command
from spunto.entrypoints.cli.session import Session

app: Final = terminals.app
HOME: Final = PurePosixPath("/workspace")
STREAM: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    path: Path
    must_be_directory: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    worker: Worker
    path: PurePosixPath
    must_be_directory: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a copy goes: the directory, and its name there."""

    directory: str
    name: str


@command(app, "cp")
async def copy(
    session: Session,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A path here, WORKER:PATH, or - for stdin.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A path here, WORKER:PATH, or - for stdout.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Directories with all that is in them.")] = False,
) -> int:
    """Copy files between this machine and workers, in either direction or from worker to worker.

    A path in a worker that does not begin with / is below /workspace. Modes, times and links are kept; everything is
    done as the worker's user. Each file is there as a whole or not at all. Exits with 1 where some could not be read.
    """
    here, there = await _end(session, source), await _end(session, target)
    if isinstance(here, Local) and isinstance(there, Local):
        raise typer.BadParameter("One of the two has to be in a worker, as WORKER:PATH.")
    if here is None:
        return await _from_stdin(session, there)
    if there is None:
        return await _to_stdout(session, here)
    await _require_copyable(session, here, recursive=recursive)
    unread = await _copied(session, here, there)
    if unread:
        session.out.note(f"spunto: {unread} things could not be read, and were not copied.")
    return ExitCode.FAILURE if unread else ExitCode.OK


async def _end(session: Session, said: str) -> Local | Inside | None:
    """None stands for this command's own stdin or stdout."""
    if said == STREAM:
        return None
    name, colon, path = said.partition(":")
    is_directory = said.endswith(("/", "/.", "/..")) or path in (".", "..")
    if not colon or "/" in name:
        return Local(path=Path(said), must_be_directory=is_directory)
    inside = HOME / path
    return Inside(worker=await session.worker(name), path=inside, must_be_directory=is_directory)


async def _from_stdin(session: Session, there: Local | Inside | None) -> int:
    if not isinstance(there, Inside):
        raise typer.BadParameter("What comes on stdin goes to WORKER:PATH.")
    with counting(session.out, str(there.path)) as count:
        written = await session.client.files.write(there.worker, str(there.path), count(_stdin()))
    session.out.done(f"{written.size_bytes} bytes are in {there.worker.name}:{there.path}.", written)
    return ExitCode.OK


async def _to_stdout(session: Session, here: Local | Inside) -> int:
    if not isinstance(here, Inside):
        raise typer.BadParameter("What goes to stdout comes from WORKER:PATH.")
    async with session.client.files.open(here.worker, str(here.path)) as pieces:
        async for piece in pieces:
            session.out.data(piece)
    return ExitCode.OK


async def _require_copyable(session: Session, here: Local | Inside, *, recursive: bool) -> None:
    if isinstance(here, Local):
        is_directory = await asyncio.to_thread(_is_directory_here, here.path)
    else:
        is_directory = await _is_directory_inside(session, here)
    if is_directory and not recursive:
        raise Conflict("file_is_directory", f"{here.path} is a directory; copy it with --recursive.")


async def _copied(session: Session, here: Local | Inside, there: Local | Inside) -> int:
    """How many things could not be read."""
    # Imported late: it brings threads and tar, which no other command needs.
    from spunto.client.local_trees import packed, unpacked

    name = _name_of(here)
    spot = await _spot(session, there, name=name)
    files = session.client.files
    with counting(session.out, name) as count:
        if isinstance(here, Local) and isinstance(there, Inside):
            packing = Packing()
            pieces = count(packed(here.path.absolute(), packing, name=spot.name))
            await files.unpack(there.worker, spot.directory, pieces)
            return packing.unread_count
        if isinstance(here, Inside):
            async with files.pack(here.worker, str(here.path)) as packed_pieces:
                if isinstance(there, Local):
                    got = await unpacked(count(packed_pieces), Path(spot.directory), name=spot.name)
                    return got.unread_count
                await files.unpack(there.worker, spot.directory, count(packed_pieces), name=spot.name)
    return 0


async def _spot(session: Session, there: Local | Inside, *, name: str) -> Spot:
    """Into what is a directory already, or as a thing of that name: as cp(1) has it."""
    if isinstance(there, Local):
        if await asyncio.to_thread(there.path.is_dir):
            return Spot(directory=str(there.path), name=name)
        if there.must_be_directory:
            raise Conflict("file_not_directory", f"{there.path} is no directory.")
        return Spot(directory=str(there.path.parent), name=there.path.name)
    if await _is_directory_inside(session, there):
        return Spot(directory=str(there.path), name=name)
    if there.must_be_directory:
        raise Conflict("file_not_directory", f"{there.worker.name}:{there.path} is no directory.")
    return Spot(directory=str(there.path.parent), name=there.path.name)


async def _is_directory_inside(session: Session, there: Inside) -> bool:
    try:
        # With a slash behind it, a link is what it leads to.
        return (await session.client.files.stat(there.worker, f"{there.path}/.")).is_directory
    except NotThere as error:
        if error.code != "file_not_found":
            raise
        return False
    except SpuntoError as error:
        if error.code != "file_not_directory":
            raise
        return False


def _is_directory_here(path: Path) -> bool:
    """Raises NotFound `file_not_found`."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise NotFound("file_not_found", f"{path}: {os.strerror(error.errno or 0)}") from error


def _name_of(here: Local | Inside) -> str:
    name = here.path.absolute().name if isinstance(here, Local) else here.path.name
    if not name or name == "..":
        raise typer.BadParameter(f"{printable(str(here.path))} has no name to copy it by.")
    return name


async def _stdin() -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(os.read, sys.stdin.fileno(), PIECE_BYTES):
        yield piece
