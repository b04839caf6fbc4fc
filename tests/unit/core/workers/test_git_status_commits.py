"""Which commits of a repository are nowhere else, and which repositories have nothing but commits."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core.workers.repositories import a_clone, a_repository, git, status_of

from spunto.core.workers.git_status import GitStatus, Repository, UnreadRepository


def test_commits_of_other_branches_are_nowhere_else_either(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    directory = workspace / "one"
    seen = a_clone(directory, remote=tmp_path / "remote")
    git(directory, "checkout", "-b", "other")
    git(directory, "commit", "--allow-empty", "-m", "second")
    git(directory, "checkout", "main")

    assert status_of(workspace) == GitStatus(repos=[replace(seen, unpushed=1)], truncated=False)


@pytest.mark.parametrize("kind", [(), ("-a", "-m", "annotated")])
@pytest.mark.parametrize("has_remote", [False, True])
def test_commits_that_only_a_tag_leads_to_are_nowhere_else(
    tmp_path: Path, kind: tuple[str, ...], *, has_remote: bool
) -> None:
    workspace = tmp_path / "workspace"
    directory = workspace / "one"
    seen = a_clone(directory, remote=tmp_path / "remote") if has_remote else a_repository(directory)
    git(directory, "commit", "--allow-empty", "-m", "second")
    git(directory, "tag", *kind, "kept")
    git(directory, "reset", "--hard", "HEAD~")

    assert status_of(workspace) == GitStatus(repos=[replace(seen, unpushed=seen.unpushed + 1)], truncated=False)


def test_what_tags_of_the_remote_lead_to_is_at_the_remote(tmp_path: Path) -> None:
    workspace, remote = tmp_path / "workspace", tmp_path / "remote"
    a_clone(tmp_path / "other", remote=remote)
    git(tmp_path / "other", "commit", "--allow-empty", "-m", "second")
    git(tmp_path / "other", "tag", "released")
    git(tmp_path / "other", "push", "origin", "released")
    seen = a_clone(workspace / "one", remote=tmp_path / "own")
    git(workspace / "one", "remote", "add", "second", str(remote))
    git(workspace / "one", "fetch", "second", "--tags")

    assert status_of(workspace) == GitStatus(repos=[seen], truncated=False)


def test_without_a_memory_of_what_was_checked_out_every_tag_counts(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    seen = a_clone(workspace / "one", remote=tmp_path / "remote")
    git(workspace / "one", "commit", "--allow-empty", "-m", "second")
    git(workspace / "one", "tag", "kept")
    git(workspace / "one", "reset", "--hard", "HEAD~")
    subprocess.run(["rm", "-r", str(workspace / "one/.git/logs")], check=True)

    assert status_of(workspace) == GitStatus(repos=[replace(seen, unpushed=1)], truncated=False)


def test_commits_of_a_detached_head_are_nowhere_else(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    directory = workspace / "one"
    seen = a_clone(directory, remote=tmp_path / "remote")
    git(directory, "checkout", "--detach")
    git(directory, "commit", "--allow-empty", "-m", "second")

    head = git(directory, "rev-parse", "HEAD")
    detached = replace(seen, branch=None, head=head, ahead=None, behind=None, unpushed=1)
    assert status_of(workspace) == GitStatus(repos=[detached], truncated=False)


@pytest.mark.parametrize("name", ["bare.git", "deep/below/no-suffix", "renamed/.git.before"])
def test_a_bare_repository_is_where_its_commits_are(tmp_path: Path, name: str) -> None:
    """What was pushed to it from beside it goes with the worker all the same."""
    workspace = tmp_path / "workspace"
    seen = a_clone(workspace / "zzz", remote=workspace / name)

    bare = Repository(path=str(workspace / name), branch="main", head=seen.head, unpushed=1)
    assert status_of(workspace) == GitStatus(repos=[bare, seen], truncated=False)


def test_a_bare_repository_that_can_not_be_read_has_an_error(tmp_path: Path) -> None:
    a_clone(tmp_path / "aaa", remote=tmp_path / "bare")
    (tmp_path / "bare/config").write_text("[core]\nrepositoryformatversion = 99\n")

    found = status_of(tmp_path)

    assert isinstance(found, GitStatus)
    assert isinstance(found.repos[-1], UnreadRepository)


def test_a_file_named_head_is_no_repository(tmp_path: Path) -> None:
    seen = a_repository(tmp_path / "one")
    (tmp_path / "one" / "HEAD").write_text("1")

    assert status_of(tmp_path) == GitStatus(repos=[replace(seen, untracked=1)], truncated=False)
