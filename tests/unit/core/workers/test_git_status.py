"""The state of git repositories, by the script that runs in workers and with git itself."""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.workers.repositories import a_repository, git, status_of

from spunto.core.workers import git_status
from spunto.core.workers.git_status import GitStatus, MissingTool, Repository, UnreadRepository, parse

NOBODY = 65534


def test_every_kind_of_change_is_counted(tmp_path: Path) -> None:
    directory = tmp_path / "one"
    seen = a_repository(directory)
    (directory / "kept").write_text("2")
    git(directory, "stash")
    (directory / "kept").write_text("3")
    (directory / "new").write_text("1")
    (directory / "many").mkdir()
    for name in "abc":
        (directory / "many" / name).write_text("1")
    (directory / "staged").write_text("1")
    git(directory, "add", "staged")

    wanted = replace(seen, staged=1, modified=1, untracked=4, stashed=1)
    assert status_of(tmp_path) == GitStatus(repos=[wanted], truncated=False)


def test_what_its_own_settings_hide_is_counted(tmp_path: Path) -> None:
    directory = tmp_path / "one"
    seen = a_repository(directory)
    (directory / "new").write_text("1")
    git(directory, "config", "status.showUntrackedFiles", "no")

    assert status_of(tmp_path) == GitStatus(repos=[replace(seen, untracked=1)], truncated=False)


def test_changes_beyond_counting_by_hand_are_all_counted(tmp_path: Path) -> None:
    crowded, last = tmp_path / "aaa", tmp_path / "zzz"
    seen, seen_last = a_repository(crowded), a_repository(last)
    for number in range(13_000):
        (crowded / f"{number:080}").touch()
    (last / "one").touch()

    untracked = status_of(tmp_path)
    git(crowded, "add", ".")
    staged = status_of(tmp_path)

    of_last = replace(seen_last, untracked=1)
    assert untracked == GitStatus(repos=[replace(seen, untracked=13_000), of_last], truncated=False)
    assert staged == GitStatus(repos=[replace(seen, staged=13_000), of_last], truncated=False)


def test_repositories_are_found_however_deep_and_whatever_their_name(tmp_path: Path) -> None:
    names = ("a/b/c/d/e/f/g", "with space", "with\nline", "-n", "\u8a9e")
    seen = [a_repository(tmp_path / name) for name in names]

    found = status_of(tmp_path)

    assert found == GitStatus(repos=sorted(seen, key=lambda each: each.path), truncated=False)


def test_one_without_a_commit_is_read(tmp_path: Path) -> None:
    git(tmp_path, "init")

    assert status_of(tmp_path) == GitStatus(repos=[Repository(path=str(tmp_path), branch="main")], truncated=False)


def damage_index(directory: Path) -> None:
    (directory / ".git/index").write_text("no index")


def damage_head(directory: Path) -> None:
    (directory / ".git/HEAD").write_text("no ref")


def come_from_the_future(directory: Path) -> None:
    git(directory, "config", "core.repositoryformatversion", "99")


def lose_objects(directory: Path) -> None:
    for file in (directory / ".git/objects").rglob("*"):
        if file.is_file():
            file.unlink()


def be_empty(directory: Path) -> None:
    subprocess.run(["rm", "-rf", str(directory / ".git")], check=True)
    (directory / ".git").mkdir()


def lose_its_main_repository(directory: Path) -> None:
    be_empty(directory)
    (directory / ".git").rmdir()
    (directory / ".git").write_text("gitdir: /nowhere/.git/worktrees/one\n")


def look_away(directory: Path) -> None:
    git(directory, "update-index", "--assume-unchanged", "kept")
    (directory / "kept").write_text("2")


DAMAGES = (look_away, damage_index, damage_head, come_from_the_future, lose_objects, be_empty, lose_its_main_repository)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("inside_another", [False, True])
def test_what_can_not_be_read_has_an_error_and_no_figures(
    tmp_path: Path, damage: Callable[[Path], None], *, inside_another: bool
) -> None:
    above = [a_repository(tmp_path / "above")] if inside_another else []
    directory = tmp_path / "above" / "one"
    a_repository(directory)
    damage(directory)

    found = status_of(tmp_path)

    assert isinstance(found, GitStatus)
    assert [each.path for each in found.repos] == [*(each.path for each in above), str(directory)]
    assert isinstance(found.repos[-1], UnreadRepository)
    assert found.repos[-1].error


@pytest.mark.parametrize("hidden", ["refs/heads", "refs/stash"])
def test_references_that_may_not_be_read_are_not_taken_for_none(hidden: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, directory = Path(folder), Path(folder) / "one"
        a_repository(directory)
        (directory / "kept").write_text("2")
        git(directory, "stash")
        workspace.chmod(0o755)
        subprocess.run(["chown", "-R", str(NOBODY), folder], check=True)
        (directory / ".git" / hidden).chmod(0)

        found = status_of(workspace, runner=("setpriv", "--reuid", str(NOBODY), "--clear-groups"))

    assert isinstance(found, GitStatus)
    [seen] = found.repos
    assert isinstance(seen, UnreadRepository)
    assert "Permission denied" in seen.error


def test_two_whose_names_read_alike_are_not_clean() -> None:
    said = "=     1 exit 0\n=     1 # branch.oid (initial)\n=unpushed 0 0"

    found = parse(f"repo\0/a\ufffd\0{said}\0repo\0/a\ufffd\0{said}\0found\x000\0")

    assert isinstance(found, GitStatus)
    [seen] = found.repos
    assert isinstance(seen, UnreadRepository)


def test_a_worktree_is_read_with_its_own_branch(tmp_path: Path) -> None:
    seen = a_repository(tmp_path / "main")
    git(tmp_path / "main", "worktree", "add", str(tmp_path / "other"))
    (tmp_path / "other/new").touch()

    other = replace(seen, path=str(tmp_path / "other"), branch="other", untracked=1)
    assert status_of(tmp_path) == GitStatus(repos=[seen, other], truncated=False)


@pytest.mark.long
def test_more_repositories_than_are_shown_are_told(tmp_path: Path) -> None:
    for number in range(git_status.MAX_REPOSITORIES + 1):
        (tmp_path / str(number) / ".git").mkdir(parents=True)

    found = status_of(tmp_path)

    assert isinstance(found, GitStatus)
    assert (len(found.repos), found.truncated) == (git_status.MAX_REPOSITORIES, True)


def test_a_workspace_that_is_not_there_is_not_clean(tmp_path: Path) -> None:
    assert status_of(tmp_path / "none") == GitStatus(repos=[], truncated=True)


def test_without_git_nothing_is_known(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "find", "sed", "sort", "uniq"):
        (tools / name).symlink_to(f"/usr/bin/{name}")

    assert status_of(tmp_path, path=str(tools)) == MissingTool(name="git")


WHOLE = (
    "repo\0/a\0=  1 # branch.oid 12\n=  1 # branch.head main\n=  1 # branch.ab +2 -1\n=  2 1 M.\n=  1 2 RM\n=  1 u UU\n"
    "=  3 ?\n=  1 exit 0\n=unpushed 0 5\n=stashed 0 4\n\0found\0" + "0\0"
)


def test_what_the_script_says_is_read() -> None:
    seen = Repository(
        path="/a",
        branch="main",
        head="12",
        ahead=2,
        behind=1,
        staged=4,
        modified=2,
        untracked=3,
        unpushed=5,
        stashed=4,
    )

    assert parse(WHOLE) == GitStatus(repos=[seen], truncated=False)


@given(st.integers(min_value=0, max_value=len(WHOLE) - 1))
def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(length: int) -> None:
    found = parse(WHOLE[:length])

    assert isinstance(found, GitStatus)
    assert found.truncated
    assert all(isinstance(each, UnreadRepository) or each.staged == 4 for each in found.repos)


parts = st.sampled_from(
    ["repo", "found", "more", "missing", "=", "unpushed", "stashed", "# branch.ab +\u00b2 -9", "exit 0", "9" * 5000]
)


@given(st.lists(parts | st.text(max_size=5)))
def test_whatever_a_worker_says_is_read_without_a_failure(said: list[str]) -> None:
    for separator in ("\0", "\n", " "):
        parse("repo\0/a\0" + separator.join(said) + "\0")
