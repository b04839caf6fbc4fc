"""What files of a real engine's containers must show beyond the contract: whose rights hold, and where links lead."""

import asyncio
import hashlib
import io
import os
import resource
import socket
import tarfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from spunto.adapters.runtimes.engine_runtime import EngineRuntime
from spunto.core.executor.file_work import FileRefused
from spunto.core.executor.runtime import ContainerPaused, ExecSpec
from spunto.core.specs.files import FileRequest, FileVerb
from spunto.testing.contracts.container_files import a_worker, refusal, worked
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS, Lab

ROUNDS = 6
SECRET = b"of the node, and nobody else's"


class RealFileContract:
    """Part of `RealEngineContract`."""

    @pytest.fixture
    def node_file(self, tmp_path: Path) -> Path:
        """Something that only the node may read, at a path that the container does not have."""
        path = tmp_path / "own" / "secret"
        path.parent.mkdir()
        path.write_bytes(SECRET)
        return path

    async def test_no_link_leads_to_the_node(self, lab: Lab, node_file: Path, tmp_path: Path) -> None:
        name = await a_worker(lab)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "node.sock"))
            links = {
                "file": str(node_file),
                "socket": str(tmp_path / "node.sock"),
                "engine": "/var/run/docker.sock",
                "up": "../" * 40 + str(node_file),
                "root": "/",
                "self": "/proc/self/root",
                "first": "/proc/1/root",
                "loop": "loop",
            }
            made = "; ".join(f"ln -s {target} /workspace/{link}" for link, target in links.items())
            await lab.ran(name, "sh", "-c", made)

            told = {link: await refusal(lab, name, FileVerb.READ, f"/workspace/{link}") for link in links}
            through_root = await refusal(lab, name, FileVerb.READ, f"/workspace/root{node_file}")
            written = await refusal(lab, name, FileVerb.WRITE, "/workspace/file", b"mine")

        # Podman's first process lets nobody look at its root.
        assert told.pop("first") in ("too_many_symlinks", "file_not_permitted")
        assert told == {
            "file": "file_not_found",
            "socket": "file_not_found",
            "engine": "file_not_found",
            "up": "file_not_found",
            "root": "file_is_directory",
            "self": "file_not_found",
            "loop": "too_many_symlinks",
        }
        assert (through_root, written, _is_untouched(node_file)) == ("file_not_found", "file_not_found", True)

    async def test_no_link_that_is_swapped_meanwhile_leads_to_the_node(self, lab: Lab, node_file: Path) -> None:
        """A directory becomes a link and a directory again, as fast as the worker can."""
        name = await a_worker(lab)
        swapped, inner = f"/workspace{node_file.parent}", node_file.parent.parent
        prepared = (
            f"mkdir -p {swapped}; echo worker > {swapped}/{node_file.name}; ln -s {node_file.parent} /workspace/l"
        )
        await lab.ran(name, "sh", "-c", prepared)
        swap = (
            f"cd /workspace{inner} && while :; do mv {node_file.parent.name} d; mv /workspace/l {node_file.parent.name}"
        )
        swap += f"; mv {node_file.parent.name} /workspace/l; mv d {node_file.parent.name}; done"
        seen: set[bytes] = set()

        async with aclosing(await lab.runtime.exec(name, ExecSpec(command=("sh", "-c", swap)))):
            for attempt in range(ROUNDS):
                verbs = (_seen(lab, name, f"{swapped}/{node_file.name}", attempt) for _ in range(8))
                seen |= set().union(*await asyncio.gather(*verbs))

        assert seen <= {b"worker\n", b"written"}
        assert b"worker\n" in seen or b"written" in seen
        assert _is_untouched(node_file)

    async def test_an_archive_does_not_follow_links_that_it_made(self, lab: Lab, node_file: Path) -> None:
        name = await a_worker(lab)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for link, target in (("etc", "/etc"), ("node", str(node_file.parent))):
                entry = tarfile.TarInfo(link)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                archive.addfile(entry)
                inner = tarfile.TarInfo(f"{link}/planted")
                inner.size = 1
                archive.addfile(inner, io.BytesIO(b"x"))

        await worked(lab, name, FileVerb.UNPACK, "/workspace", packed.getvalue())
        listed = await lab.ran(name, "sh", "-c", "ls -d /etc/planted /workspace/*/planted; true")

        assert listed.stdout.split() == [b"/workspace/etc/planted", b"/workspace/node/planted"]
        assert _is_untouched(node_file)

    async def test_pipes_and_devices_are_never_opened(self, lab: Lab) -> None:
        name = await a_worker(lab)
        await lab.ran(name, "sh", "-c", "mkfifo /workspace/pipe")

        told = [await refusal(lab, name, FileVerb.READ, path) for path in ("/workspace/pipe", "/dev/zero")]

        assert told == ["file_not_regular", "file_not_regular"]

    async def test_files_are_the_users_and_no_more_is_read_than_it_may(self, lab: Lab) -> None:
        name = await a_worker(lab)
        await lab.ran(name, "sh", "-c", "mkdir /tmp/shut; echo 1 > /tmp/shut/f; chmod 700 /tmp/shut", user="0")

        await worked(lab, name, FileVerb.WRITE, "/workspace/f", b"1")
        owner = await lab.ran(name, "stat", "-c", "%u:%g", "/workspace/f")
        told = [
            await refusal(lab, name, FileVerb.READ, "/tmp/shut/f"),
            await refusal(lab, name, FileVerb.LIST, "/tmp/shut"),
            await refusal(lab, name, FileVerb.REMOVE, "/tmp/shut", recursive=True),
            await refusal(lab, name, FileVerb.MOVE, "/etc/passwd", to="/tmp/passwd"),
        ]

        assert owner.stdout == b"1000:1000\n"
        assert told == ["file_not_permitted"] * 4

    async def test_what_the_containers_root_lacks_its_files_lack_too(self, lab: Lab) -> None:
        """Files of a worker that runs as root are root's, in the container and by what it may."""
        name = await lab.started()

        await worked(lab, name, FileVerb.WRITE, "/root/f", b"1")
        read_only = await refusal(lab, name, FileVerb.WRITE, "/sys/planted", b"1")
        owner = await lab.ran(name, "stat", "-c", "%u", "/root/f")

        assert (owner.stdout, read_only) == (b"0\n", "file_system_read_only")

    async def test_what_can_not_be_read_is_left_out_of_an_archive_and_told(self, lab: Lab) -> None:
        name = await a_worker(lab)
        await lab.ran(
            name, "sh", "-c", "mkdir /tmp/t; echo 1 > /tmp/t/a; echo 2 > /tmp/t/b; chmod 600 /tmp/t/b", user="0"
        )

        packed = await worked(lab, name, FileVerb.PACK, "/tmp/t")
        with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
            names, last = archive.getnames(), archive.getmembers()[-1]

        assert (sorted(set(names)), last.pax_headers) == (["t", "t/a"], {"SPUNTO.unread": "1"})
        assert packed.said[-1] == {"unread": 1, "unreadPaths": ["t/b"]}
        assert await refusal(lab, name, FileVerb.PACK, "/tmp/t/b") == "file_not_permitted"

    async def test_links_modes_and_times_go_through_an_archive(self, lab: Lab) -> None:
        name = await a_worker(lab)
        tree = (
            "cd /workspace; mkdir -m 750 t; echo 1 > t/f; chmod 640 t/f; ln t/f t/hard; ln -s f t/soft; touch -d @5 t/f"
        )
        await lab.ran(name, "sh", "-c", tree)

        packed = await worked(lab, name, FileVerb.PACK, "/workspace/t")
        await worked(lab, name, FileVerb.UNPACK, "/workspace", bytes(packed.content), top="again")
        seen = await lab.ran(
            name, "sh", "-c", "cd /workspace/again; stat -c %a . f; stat -c %Y:%h f; readlink soft; cat hard"
        )

        assert seen.stdout.split() == [b"750", b"640", b"5:2", b"f", b"1"]

    async def test_an_image_without_any_tool_has_files_all_the_same(self, lab: Lab) -> None:
        async with _bare(lab) as name:
            await worked(lab, name, FileVerb.WRITE, "/data/f", b"1", parents=True)
            read = await worked(lab, name, FileVerb.READ, "/data/f")
            packed = await worked(lab, name, FileVerb.PACK, "/data")

        assert (bytes(read.content), packed.said[-1]["unread"]) == (b"1", 0)

    async def test_a_root_that_is_read_only_says_so(self, lab: Lab) -> None:
        async with _bare(lab, HostConfig={"ReadonlyRootfs": True}) as name:
            refused = await refusal(lab, name, FileVerb.WRITE, "/bin/f", b"1")

        assert refused == "file_system_read_only"

    async def test_a_paused_container_is_left_alone(self, lab: Lab) -> None:
        name = await a_worker(lab)
        await _socket(lab).call("POST", f"containers/{name}/pause")

        with pytest.raises(ContainerPaused):
            await lab.runtime.files(name, FileRequest(verb=FileVerb.LOOK, path="/"))

    async def test_work_ends_with_its_container(self, lab: Lab) -> None:
        name = await a_worker(lab)

        async with asyncio.timeout(PATIENCE_SECONDS):
            work = await lab.runtime.files(name, FileRequest(verb=FileVerb.WRITE, path="/workspace/f"))
            async with aclosing(work):
                assert await work.next() == {"ready": True}
                await lab.runtime.remove_container(name)
                with pytest.raises(Exception, match="helper"):
                    await work.next()

    async def test_a_large_file_goes_both_ways_in_little_memory(self, lab: Lab) -> None:
        name = await a_worker(lab)
        piece, count = os.urandom(256 * 1024), 1024
        sent, got, got_bytes = hashlib.sha256(), hashlib.sha256(), 0
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        async with aclosing(
            await lab.runtime.files(name, FileRequest(verb=FileVerb.WRITE, path="/workspace/f"))
        ) as work:
            await work.next()
            for _ in range(count):
                sent.update(piece)
                await work.write(piece)
            await work.write_end()
            written: Any = await work.next()
        async with aclosing(
            await lab.runtime.files(name, FileRequest(verb=FileVerb.READ, path="/workspace/f"))
        ) as work:
            while (part := await work.next()) is not None:
                if isinstance(part, bytes):
                    got.update(part)
                    got_bytes += len(part)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

        assert (got.digest(), got_bytes, written["sizeBytes"]) == (
            sent.digest(),
            len(piece) * count,
            len(piece) * count,
        )
        assert grown_kib < 16 * 1024


def _is_untouched(node_file: Path) -> bool:
    """Whether it is as it was, and nothing has come beside it."""
    return node_file.read_bytes() == SECRET and [each.name for each in node_file.parent.iterdir()] == [node_file.name]


async def _seen(lab: Lab, name: str, path: str, attempt: int) -> set[bytes]:
    """What reading gives, or writing leaves; what is refused gives nothing."""
    try:
        if attempt % 2:
            await worked(lab, name, FileVerb.WRITE, path, b"written")
            return set()
        return {bytes((await worked(lab, name, FileVerb.READ, path)).content)}
    except FileRefused:
        return set()


@asynccontextmanager
async def _bare(lab: Lab, **settings: Any) -> AsyncIterator[str]:
    """A container of an image that holds one program and nothing else."""
    name, image = f"spunto-test-{lab.suffix}-bare", f"localhost/spunto/test-{lab.suffix}"
    source = await lab.started(name=f"{name}-source")
    program = (await lab.ran(source, "cat", "/bin/busybox")).stdout
    archive = io.BytesIO(_archive_of(program))
    async with _socket(lab)._request("POST", "images/create", params=_import(image), data=archive) as answer:
        await answer.read()
    body = {"Image": image, "Cmd": ["/bin/busybox", "sleep", "1000"], "Labels": dict(lab.labels), **settings}
    await _socket(lab).call("POST", "containers/create", params={"name": name}, body=body)
    try:
        await lab.runtime.start_container(name)
        yield name
    finally:
        await lab.runtime.remove_container(name)
        await _socket(lab).call("DELETE", f"images/{image}:latest")


def _import(image: str) -> dict[str, str]:
    return {"fromSrc": "-", "repo": image, "tag": "latest"}


def _archive_of(program: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program))
    return packed.getvalue()


def _socket(lab: Lab) -> Any:
    assert isinstance(lab.runtime, EngineRuntime)
    return lab.runtime._socket
