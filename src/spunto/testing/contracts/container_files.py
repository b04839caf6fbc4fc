"""What every container engine adapter guarantees of the files of containers."""

import asyncio
import io
import secrets
import tarfile
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from spunto.core.executor.file_work import FileRefused
from spunto.core.executor.runtime import ContainerGone, ContainerNotRunning, Mount
from spunto.core.specs.files import FileRequest, FileVerb
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS, Lab

MEBIBYTE = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Worked:
    """What was said about a request, in its order, and the content that came with it."""

    said: list[dict[str, Any]] = field(default_factory=list)
    content: bytearray = field(default_factory=bytearray)


async def worked(lab: Lab, name: str, verb: FileVerb, path: str, body: bytes | None = None, **rest: Any) -> Worked:
    done = Worked()
    async with asyncio.timeout(PATIENCE_SECONDS):
        work = await lab.runtime.files(name, FileRequest(verb=verb, path=path, **rest))
        async with aclosing(work):
            if body is not None:
                first = await work.next()
                assert isinstance(first, dict)
                done.said.append(first)
                await work.write(body)
                await work.write_end()
            while (piece := await work.next()) is not None:
                if isinstance(piece, bytes):
                    done.content += piece
                else:
                    done.said.append(piece)
    return done


async def refusal(lab: Lab, name: str, verb: FileVerb, path: str, body: bytes | None = None, **rest: Any) -> str:
    with pytest.raises(FileRefused) as refused:
        await worked(lab, name, verb, path, body, **rest)
    return refused.value.code


async def a_worker(lab: Lab) -> str:
    """One that runs as 1000 and has a place of its own."""
    return await lab.started(user="1000:1000", mounts=(Mount(volume=lab.volume(), path="/workspace"),))


class ContainerFileContract:
    """Part of `ContainerRuntimeContract`."""

    async def test_what_is_written_is_read_again_by_the_files_and_by_commands(self, lab: Lab) -> None:
        name, content = await a_worker(lab), secrets.token_bytes(3 * MEBIBYTE + 7)

        written = await worked(lab, name, FileVerb.WRITE, "/workspace/a file", content)
        read = await worked(lab, name, FileVerb.READ, "/workspace/a file")
        seen = await lab.ran(name, "cat", "/workspace/a file")

        assert (written.said[0], written.said[1]["created"], written.said[1]["uid"]) == ({"ready": True}, True, 1000)
        assert bytes(read.content) == content
        assert read.said[0]["sizeBytes"] == read.said[0]["lengthBytes"] == len(content)
        assert seen.stdout == content

    @pytest.mark.parametrize(
        ("offset", "length", "begin", "part"),
        [(2, 3, 2, b"cde"), (-2, None, 6, b"gh"), (6, 9, 6, b"gh"), (9, 1, 8, b"")],
    )
    async def test_a_part_is_read(self, lab: Lab, offset: int, length: int | None, begin: int, part: bytes) -> None:
        name = await a_worker(lab)
        await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"abcdefgh")

        read = await worked(lab, name, FileVerb.READ, "/workspace/f", offset=offset, length=length)

        assert (bytes(read.content), read.said[0]["offset"], read.said[0]["isPart"]) == (part, begin, True)

    async def test_a_part_of_another_version_is_the_whole_and_what_is_known_does_not_come(self, lab: Lab) -> None:
        name = await a_worker(lab)
        written = await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"abcdefgh")
        version = written.said[1]["version"]

        of_this = await worked(lab, name, FileVerb.READ, "/workspace/f", offset=6, only_of=version)
        of_another = await worked(lab, name, FileVerb.READ, "/workspace/f", offset=6, only_of="0-0")
        known = await worked(lab, name, FileVerb.READ, "/workspace/f", unless_version=f"0-0,{version}")

        assert [bytes(each.content) for each in (of_this, of_another, known)] == [b"gh", b"abcdefgh", b""]
        assert known.said[0]["isUnchanged"] is True

    async def test_what_is_broken_off_leaves_what_was_there(self, lab: Lab) -> None:
        name = await a_worker(lab)
        await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"before")

        work = await lab.runtime.files(name, FileRequest(verb=FileVerb.WRITE, path="/workspace/f"))
        async with aclosing(work):
            assert await work.next() == {"ready": True}
            await work.write(b"half of what was meant")
        listed = await worked(lab, name, FileVerb.LIST, "/workspace")

        assert [each["name"] for each in listed.said[0]["items"]] == ["f"]
        assert (await worked(lab, name, FileVerb.READ, "/workspace/f")).content == b"before"

    async def test_what_the_user_may_not_write_stays(self, lab: Lab) -> None:
        name = await a_worker(lab)

        assert await refusal(lab, name, FileVerb.WRITE, "/etc/spunto-test", b"x") == "file_not_permitted"
        assert await refusal(lab, name, FileVerb.UNPACK, "/etc", _archive(a=b"x")) == "file_not_permitted"

    async def test_a_mode_is_given_and_kept(self, lab: Lab) -> None:
        name = await a_worker(lab)

        first = await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"1", mode=0o750)
        second = await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"2")

        assert [each.said[1]["mode"] for each in (first, second)] == [0o750, 0o750]
        assert [each.said[1]["created"] for each in (first, second)] == [True, False]

    async def test_a_version_that_is_presumed_must_be_there(self, lab: Lab) -> None:
        name = await a_worker(lab)
        written = await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"1", if_missing=True)
        version = written.said[1]["version"]

        stale = await refusal(lab, name, FileVerb.WRITE, "/workspace/f", b"2", if_version="0-0")
        missing = await refusal(lab, name, FileVerb.WRITE, "/workspace/none", b"2", if_version="*")
        taken = await refusal(lab, name, FileVerb.WRITE, "/workspace/f", b"2", if_missing=True)
        await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"3", if_version=version)

        assert (stale, missing, taken) == ("file_changed", "file_changed", "file_exists")
        assert (await worked(lab, name, FileVerb.READ, "/workspace/f")).content == b"3"

    async def test_directories_are_made_listed_in_pages_and_removed(self, lab: Lab) -> None:
        name = await a_worker(lab)
        made = await worked(lab, name, FileVerb.MAKE, "/workspace/a/b", parents=True)
        for each in ("3", "1", "2"):
            await worked(lab, name, FileVerb.WRITE, f"/workspace/a/b/{each}", each.encode())

        first = (await worked(lab, name, FileVerb.LIST, "/workspace/a/b", limit=2)).said[0]
        rest = (await worked(lab, name, FileVerb.LIST, "/workspace/a/b", limit=2, after=first["next"])).said[0]
        full = await refusal(lab, name, FileVerb.REMOVE, "/workspace/a")
        await worked(lab, name, FileVerb.REMOVE, "/workspace/a", recursive=True)

        assert (made.said[0]["type"], made.said[0]["created"]) == ("directory", True)
        assert [[each["name"] for each in page["items"]] for page in (first, rest)] == [["1", "2"], ["3"]]
        assert (rest["next"], full) == (None, "directory_not_empty")
        assert await refusal(lab, name, FileVerb.LOOK, "/workspace/a") == "file_not_found"

    async def test_a_move_takes_no_place_that_is_taken(self, lab: Lab) -> None:
        name = await a_worker(lab)
        await worked(lab, name, FileVerb.WRITE, "/workspace/a", b"a")
        await worked(lab, name, FileVerb.WRITE, "/workspace/b", b"b")

        taken = await refusal(lab, name, FileVerb.MOVE, "/workspace/a", to="/workspace/b")
        nowhere = await refusal(lab, name, FileVerb.MOVE, "/workspace/a", to="/workspace/none/b")
        moved = await worked(lab, name, FileVerb.MOVE, "/workspace/a", to="/workspace/b", overwrite=True)

        assert (taken, nowhere, moved.said[0]["name"]) == ("file_exists", "file_not_found", "b")
        assert (await worked(lab, name, FileVerb.READ, "/workspace/b")).content == b"a"
        assert await refusal(lab, name, FileVerb.READ, "/workspace/a") == "file_not_found"

    async def test_what_is_no_file_or_no_directory_is_said(self, lab: Lab) -> None:
        name = await a_worker(lab)
        await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"")

        told = [
            await refusal(lab, name, FileVerb.READ, "/workspace"),
            await refusal(lab, name, FileVerb.WRITE, "/workspace", b""),
            await refusal(lab, name, FileVerb.LIST, "/workspace/f"),
            await refusal(lab, name, FileVerb.READ, "/workspace/none"),
            await refusal(lab, name, FileVerb.UNPACK, "/workspace/none", b""),
        ]

        assert told == [
            "file_is_directory",
            "file_is_directory",
            "file_not_directory",
            "file_not_found",
            "file_not_found",
        ]

    async def test_a_tree_goes_in_and_comes_out_as_an_archive(self, lab: Lab) -> None:
        name, content = await a_worker(lab), secrets.token_bytes(MEBIBYTE + 1)
        sent = _archive(**{"tree/deep/file": content, "tree/tool": b"#!"})

        unpacked = await worked(lab, name, FileVerb.UNPACK, "/workspace/new/place", sent, parents=True)
        whole = await worked(lab, name, FileVerb.PACK, "/workspace/new/place/tree")
        inner = await worked(lab, name, FileVerb.PACK, "/workspace/new/place", is_content=True)

        assert unpacked.said[-1] == {"entries": 2}
        assert whole.said == [{"ready": True}, {"unread": 0, "unreadPaths": []}]
        expected = {"tree": None, "tree/deep": None, "tree/deep/file": content, "tree/tool": b"#!"}
        assert _unpacked(whole.content) == _unpacked(inner.content) == expected

    async def test_what_is_no_archive_or_leads_out_of_the_place_is_refused(self, lab: Lab) -> None:
        name = await a_worker(lab)

        assert await refusal(lab, name, FileVerb.UNPACK, "/workspace", b"x" * 4096) == "archive_unreadable"
        assert (
            await refusal(lab, name, FileVerb.UNPACK, "/workspace", _archive(**{"a/../../b": b""}))
            == "archive_entry_unusable"
        )

    async def test_files_of_what_does_not_run_are_out_of_reach(self, lab: Lab) -> None:
        created = await lab.runtime.create_container(lab.a_spec())
        asked = FileRequest(verb=FileVerb.LOOK, path="/")

        with pytest.raises(ContainerNotRunning):
            await lab.runtime.files(created.name, asked)
        with pytest.raises(ContainerGone):
            await lab.runtime.files("spunto-test-none", asked)


def _archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o640
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _unpacked(packed: bytes | bytearray) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for entry in archive:
            content = archive.extractfile(entry)
            found[entry.name] = None if content is None else content.read()
    return found
