"""`spunto worker cp` on real boxes: files and trees in both directions, from worker to worker, and what is refused."""

import hashlib
import os
from pathlib import Path

import pytest
from tests.integration.journeys.boxes import Box

SIZE_BYTES = 50_000_000
LIMITS = ("--cpus", "0.5", "--memory", "64MiB")


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)],
    scope="module",
)
def box(request: pytest.FixtureRequest) -> Box:
    """With two workers."""
    box: Box = request.getfixturevalue(f"{request.param}_box")
    box.cli.run("project", "create", "copied", "--image", "localhost/spunto/busybox:1", *LIMITS)
    for name in ("first", "second"):
        box.cli.run("worker", "spawn", "copied", "--name", name)
    return box


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a large file, a program, a link and an empty directory."""
    tree = tmp_path / "tree"
    (tree / "deep" / "empty").mkdir(parents=True)
    (tree / "large").write_bytes(os.urandom(SIZE_BYTES))
    (tree / "deep" / "program").write_text("#!/bin/sh\n")
    (tree / "deep" / "program").chmod(0o750)
    (tree / "link").symlink_to("deep/program")
    return tree


def told(root: Path) -> dict[str, str]:
    """Everything below it, each with its kind, its mode and what is in it."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            what = f"-> {path.readlink()}"
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
            what = f"{path.stat().st_mode & 0o7777:o} {content}"
        found[str(path.relative_to(root))] = what
    return found


def test_a_tree_goes_in_over_to_another_worker_and_out_as_it_was(box: Box, tree: Path, tmp_path: Path) -> None:
    box.cli.run("worker", "cp", "-r", str(tree), "first:/workspace")
    box.cli.run("worker", "cp", "-r", "first:tree", "second:copy")
    box.cli.run("worker", "cp", "--recursive", "second:/workspace/copy", str(tmp_path / "back"))

    assert told(tmp_path / "back") == told(tree)
    assert len(told(tree)) == 5


def test_streams_go_in_and_out(box: Box, tmp_path: Path) -> None:
    sent = os.urandom(3_000_000)

    box.cli.run_on_bytes("worker", "cp", "-", "first:/tmp/stream", stdin=sent)
    got = box.cli.run_on_bytes("worker", "cp", "first:/tmp/stream", "-", stdin=b"")
    box.cli.run("worker", "cp", "first:/tmp/stream", str(tmp_path))

    assert got == sent
    assert (tmp_path / "stream").read_bytes() == sent


def test_what_is_not_there_or_a_directory_is_said_and_leaves_nothing(box: Box, tree: Path, tmp_path: Path) -> None:
    missing = box.cli.run("worker", "cp", "first:/none", str(tmp_path), code=3)
    directory = box.cli.run("worker", "cp", str(tree), "first:there", code=5)
    nowhere = box.cli.run("worker", "cp", str(tree / "large"), "first:/none/there", code=3)
    neither = box.cli.run("worker", "cp", str(tree), str(tmp_path), code=2)

    assert "no such file or directory in the worker: /none" in missing.err
    assert "--recursive" in directory.err
    assert "/none" in nowhere.err
    assert "WORKER:PATH" in neither.err
    assert [each.name for each in tmp_path.iterdir()] == ["tree"]


def test_what_can_not_be_read_is_counted_and_the_rest_is_there(box: Box, tmp_path: Path) -> None:
    box.cli.run("worker", "exec", "first", "--", "sh", "-c", "mkdir -p /tmp/mixed; cd /tmp/mixed; echo 1 >f; mkfifo p")

    done = box.cli.run("worker", "cp", "-r", "first:/tmp/mixed", str(tmp_path), code=1)

    assert "1 things could not be read" in done.err
    assert [each.name for each in (tmp_path / "mixed").iterdir()] == ["f"]
