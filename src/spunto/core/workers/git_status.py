"""The state of a worker's git repositories, read from git's own machine format (git-status(1), porcelain v2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

_SCRIPT = r"""
find /workspace -maxdepth 4 -name .git -prune -print 2>/dev/null | sort | while IFS= read -r git; do
  repo=${git%/.git}
  printf 'repo %s\n' "$repo"
  git -c safe.directory='*' -C "$repo" status --porcelain=v2 --branch --show-stash 2>/dev/null
  printf 'unpushed %s\n' "$(git -c safe.directory='*' -C "$repo" rev-list --count HEAD --not --remotes 2>/dev/null)"
done
"""
COMMAND = ("sh", "-c", _SCRIPT)
_COUNT = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`ahead` and `behind` against the upstream (None without one); `unpushed` commits are on no remote at all."""

    path: str
    branch: str | None = None
    head: str | None = None
    ahead: int | None = None
    behind: int | None = None
    staged: int = 0
    modified: int = 0
    untracked: int = 0
    unpushed: int = 0
    stashed: int = 0


def parse(output: str) -> list[Repository]:
    """The repositories in the script's output; lines that say nothing to us are passed over."""
    repositories: list[Repository] = []
    for line in output.split("\n"):
        word, _, rest = line.partition(" ")
        if word == "repo":
            repositories.append(Repository(path=rest))
        elif repositories:
            repositories[-1] = _with_line(repositories[-1], word, rest)
    return repositories


def _with_line(repository: Repository, word: str, rest: str) -> Repository:
    match word:
        case "#":
            return _with_header(repository, rest.split(" "))
        case "1" | "2" | "u":
            staged, modified = rest[:1] != ".", rest[1:2] != "."
            return replace(repository, staged=repository.staged + staged, modified=repository.modified + modified)
        case "?":
            return replace(repository, untracked=repository.untracked + 1)
        case "unpushed" if _COUNT.fullmatch(rest):
            return replace(repository, unpushed=int(rest))
        case _:
            return repository


def _with_header(repository: Repository, words: Sequence[str]) -> Repository:
    match words:
        case ["branch.oid", head] if head != "(initial)":
            return replace(repository, head=head)
        case ["branch.head", branch] if branch != "(detached)":
            return replace(repository, branch=branch)
        case ["branch.ab", ahead, behind] if _COUNT.fullmatch(ahead[1:]) and _COUNT.fullmatch(behind[1:]):
            return replace(repository, ahead=int(ahead[1:]), behind=int(behind[1:]))
        case ["stash", count] if _COUNT.fullmatch(count):
            return replace(repository, stashed=int(count))
        case _:
            return repository
