"""Git repositories as they are made by git itself, and what the script that runs in workers says of them."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spunto.core.workers import git_status
from spunto.core.workers.git_status import GitStatus, MissingTool, Repository, parse

IDENTITY = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, "-C", str(directory), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def a_repository(directory: Path) -> Repository:
    """One with a commit that is nowhere else, as it should be seen."""
    directory.mkdir(parents=True)
    git(directory, "init")
    (directory / "kept").write_text("1")
    git(directory, "add", "kept")
    git(directory, "commit", "-m", "first")
    return Repository(path=str(directory), branch="main", head=git(directory, "rev-parse", "HEAD"), unpushed=1)


def status_of(workspace: Path, *, path: str | None = None, runner: Sequence[str] = ()) -> GitStatus | MissingTool:
    command = [*runner] + [part.replace("/workspace", str(workspace)) for part in git_status.COMMAND]
    said = subprocess.run(command, check=True, capture_output=True, env={"PATH": path or os.environ["PATH"]})
    return parse(said.stdout.decode())


def a_clone(directory: Path, *, remote: Path) -> Repository:
    """One whose only commit is at the remote."""
    seen = a_repository(directory)
    git(directory.parent, "init", "--bare", str(remote))
    git(directory, "remote", "add", "origin", str(remote))
    git(directory, "push", "-u", "origin", "main")
    return replace(seen, ahead=0, behind=0, unpushed=0)
