"""The client's files against the real application, on a harness: whole, in parts, as streams and trees."""

import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spunto.client.client import SpuntoClient
from spunto.client.errors import ChangedMeanwhile, NotThere, StateConflict
from spunto.client.local_trees import packed, unpacked
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.packing import Packing
from spunto.testing.harness import Harness


@pytest.fixture
async def client() -> AsyncIterator[SpuntoClient]:
    async with Harness() as harness:
        await harness.add_node("n1")
        project = await harness.add_project("hello")
        async with harness.client() as client:
            await client.workers.spawn(harness.organization.id, project.id)
            await harness.settle()
            yield client


@pytest.fixture
async def worker(client: SpuntoClient) -> Worker:
    org = await anext(client.orgs.iter_orgs())
    return await anext(client.workers.iter_all(org.id))


async def test_a_file_is_written_read_listed_moved_and_removed(client: SpuntoClient, worker: Worker) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abc"

    written = await client.files.write(worker, "/workspace/d/a", pieces(), mode=0o600, parents=True)
    whole = await client.files.read(worker, "/workspace/d/a")
    part = await client.files.read(worker, "/workspace/d/a", offset=2, length=2)
    moved = await client.files.move(worker, "/workspace/d/a", "/workspace/d/b")
    listed = [each.name async for each in client.files.list(worker, "/workspace/d")]
    await client.files.remove(worker, "/workspace/d", recursive=True)

    assert (written.mode, written.size_bytes, written.is_directory) == ("0600", 9, False)
    assert (whole, part, moved.path, listed) == (b"abcabcabc", b"ca", "/workspace/d/b", ["b"])
    with pytest.raises(NotThere):
        await client.files.stat(worker, "/workspace/d")


async def test_what_is_presumed_must_hold(client: SpuntoClient, worker: Worker) -> None:
    first = await client.files.write(worker, "/workspace/a", b"1")
    await client.files.write(worker, "/workspace/a", b"2", if_match=first.version)

    with pytest.raises(ChangedMeanwhile):
        await client.files.write(worker, "/workspace/a", b"3", if_match=first.version)
    with pytest.raises(StateConflict):
        await client.files.write(worker, "/workspace/a", b"3", create=True)


async def test_a_tree_goes_there_and_back(client: SpuntoClient, worker: Worker, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "file").write_bytes(b"x" * 300_000)
    (tree / "deep" / "file").chmod(0o640)

    packing = Packing()
    entries = await client.files.unpack(worker, "/workspace", packed(tree, packing, name="there"))
    async with client.files.pack(worker, "/workspace/there") as pieces:
        got = await unpacked(pieces, tmp_path, name="back")

    assert (entries, packing.unread_count, got.unread_count) == (3, 0, 0)
    assert (tmp_path / "back" / "deep" / "file").read_bytes() == b"x" * 300_000
    assert (tmp_path / "back" / "deep" / "file").stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("path", ["../out", "a/../../out"])
async def test_no_archive_leaves_its_place(tmp_path: Path, path: str) -> None:
    place = tmp_path / "place"
    place.mkdir()

    with pytest.raises(Invalid):
        await unpacked(_pieces(_archive(("a", None), (path, None))), place, name="a")

    assert [each.name for each in _in(tmp_path)] == ["place"]


async def test_links_that_an_archive_makes_are_not_followed(tmp_path: Path) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    place.mkdir()
    other.mkdir()

    await unpacked(_pieces(_archive(("top/l", str(other)), ("top/l/planted", None))), place, name="top")

    assert _in(other) == []
    assert (place / "top" / "l" / "planted").is_file()


async def test_bits_that_give_rights_are_not_brought_here(tmp_path: Path) -> None:
    packed_bytes = io.BytesIO()
    with tarfile.open(fileobj=packed_bytes, mode="w") as archive:
        entry = tarfile.TarInfo("f")
        entry.mode = 0o6755
        archive.addfile(entry)

    await unpacked(_pieces(packed_bytes.getvalue()), tmp_path, name="f")

    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o755


async def test_what_breaks_off_leaves_no_half_file(tmp_path: Path) -> None:
    whole = _archive(("f", None), size=100_000)

    with pytest.raises(Invalid):
        await unpacked(_pieces(whole[:50_000]), tmp_path, name="f")

    assert _in(tmp_path) == []


async def test_what_can_not_be_packed_is_counted(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    os.mkfifo(tmp_path / "tree" / "pipe")
    packing = Packing()

    content = b"".join([piece async for piece in packed(tmp_path / "tree", packing, name="tree")])
    got = await unpacked(_pieces(content), tmp_path, name="back")

    assert (packing.unread_count, packing.unread, got.unread_count) == (1, [b"tree/pipe"], 1)


def _in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def _archive(*entries: tuple[str, str | None], size: int = 1) -> bytes:
    """Files, or links to what is beside their names."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, target in entries:
            entry = tarfile.TarInfo(path)
            if target is None:
                entry.size = size
                archive.addfile(entry, io.BytesIO(bytes(size)))
            else:
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                archive.addfile(entry)
    return made.getvalue()


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), 7_000):
        yield content[begin : begin + 7_000]
