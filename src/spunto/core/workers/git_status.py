"""The state of a worker's git repositories: counted in the worker, from git's own machine format (git-status(1)).

People destroy workers on this answer, so a repository that could not be read whole has an error and no figures.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

MAX_REPOSITORIES: Final = 200
TIMEOUT_SECONDS: Final = 60.0
# A path has at most 4 KiB, and what is said of its repository is shorter than that.
MAX_ANSWER_BYTES: Final = MAX_REPOSITORIES * 8 * 1024
MAX_ERROR_CHARACTERS: Final = 300
_COUNT: Final = re.compile(r"[0-9]{1,18}")
_NO_TIME: Final = "It was not read within the time that there is for all repositories."
_ALIKE: Final = "There are several whose paths differ only in bytes that are no UTF-8."
_UNCLEAR: Final = "What git said of it can't be understood."

# Entries are counted here by the letters of their state, because git says as many lines as files have changed.
# What a repository's own settings could hide is asked for. Where its .git is damaged, git would go on looking above
# it, so the directory is named. Whatever goes to stderr means that something was not seen, so it is an answer as well:
# it comes first and unmarked, since `uniq` has nothing to say before git has ended.
_EACH: Final = r"""
unset $(git rev-parse --local-env-vars)
export LC_ALL=C
here() {
  git -C "$repo" --git-dir="$own" --no-optional-locks -c safe.directory='*' -c core.fsmonitor=false \
    -c core.quotePath=true -c status.renames=true "$@"
}
all() { here status --porcelain=v2 --branch --untracked-files=all --ignore-submodules=none; echo "exit $?"; }
counted() { sed 's/^\([12u] ..\) .*/\1/; s/^? .*/?/' | sort | uniq -c | sed 's/^/=/'; }
one() { value=$(here "$@" 2>&1); echo "$? $value"; }
# Git takes references that it may not read for none, and files that it was told not to look at for unchanged. The outer
# `find` must not see its own braces in here.
refs() {
  common=$(here rev-parse --git-common-dir)
  case $common in /*) ;; *) common=$repo/$common ;; esac
  find "$common/refs" -type f -exec cat "{"} + >/dev/null
  here ls-files -v | sed -n '/^[a-z] /{s/.*/It does not look for changes of some files (assume-unchanged)./p;q;}' >&2
}
# Git does not keep which tags a remote has. Where there is no remote's branch, none is anywhere else. Beside one, only
# those whose commit was checked out here: when one is made, it is.
tagged() {
  if [ -n "$(here for-each-ref --count=1 refs/remotes)" ] && [ -n "$(reflog)" ]; then
    for list in tags reflog; do "$list" | sort -u; done | sort | uniq -d
  else
    echo --tags
  fi
}
tags() {
  here for-each-ref --format='%(objecttype) %(objectname) %(*objecttype) %(*objectname)' refs/tags |
    sed -n 's/.*commit \([0-9a-f]*\).*/\1/p'
}
reflog() { [ -z "$commit" ] || here log -g --format=%H HEAD; }
# What has no files to compare with.
bare() {
  echo "=1 # branch.oid ${commit:-(initial)}"
  echo "=1 # branch.head $(here symbolic-ref -q --short HEAD || echo '(detached)')"
  echo "=1 exit 0"
}
printed() {
  refs
  commit=$(here rev-parse -q --verify HEAD 2>&1)
  if [ "$own" = . ]; then bare; else { { all; } 2>&3 | counted; } 3>&1; fi
  printf '=unpushed '; one rev-list --count $commit --branches $(tagged) --not --remotes
  here rev-parse -q --verify refs/stash >/dev/null && { printf '=stashed '; one rev-list -g --count refs/stash; }
}
seen=0
for git in "$@"; do
  case $git in
    */.git) repo=${git%/.git} own=.git ;;
    *) repo=${git%/HEAD} own=. && [ -d "$repo/objects" ] && [ -d "$repo/refs" ] || continue ;;
  esac
  seen=$((seen + 1))
  [ "$seen" -le LIMIT ] || { printf 'more\0'; break; }
  printf 'repo\0%s\0' "${repo:-/}"
  printf '%s\0' "$(printed 2>&1)"
done
""".replace("LIMIT", str(MAX_REPOSITORIES))
_ALL: Final = r"""
for tool in git find sed sort uniq cat; do
  command -v "$tool" >/dev/null || { printf 'missing\0%s\0' "$tool"; exit; }
done
find /workspace \( -name .git -prune -o -name HEAD ! -type d \) -exec sh -c "$0" sh {} + 2>/dev/null
printf 'found\0%s\0' "$?"
"""
COMMAND: Final = ("sh", "-c", _ALL, _EACH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`ahead` and `behind` against the upstream (None without one). `unpushed` are the commits of all local branches
    and tags and of what is checked out that are on no remote's branch. A bare one has nothing but commits."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadRepository:
    """One whose state is not known; `error` is what git said, or that it had no time to."""

    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GitStatus:
    """Repositories by path. `truncated` where there may be more: too many, not readable, or no time left."""

    repos: Sequence[Repository | UnreadRepository]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTool:
    """The program that the image lacks."""

    name: str


def parse(output: str) -> GitStatus | MissingTool:
    """What the command said. What is not clear is an error of its repository, or makes the whole answer truncated."""
    # A field without its NUL was not said whole.
    fields = iter(output.split("\0")[:-1])
    found: dict[str, Repository | UnreadRepository] = {}
    is_whole, has_more = False, False
    for word in fields:
        match word:
            case "missing":
                return MissingTool(name=next(fields, "git"))
            case "repo" if (path := next(fields, None)) is not None:
                said = next(fields, None)
                if path in found:
                    said = _ALIKE
                found[path] = UnreadRepository(path=path, error=_NO_TIME) if said is None else _repository(path, said)
            case "more":
                has_more = True
            case "found":
                is_whole = next(fields, None) == "0"
    paths = sorted(found)[:MAX_REPOSITORIES]
    truncated = has_more or not is_whole or len(paths) < len(found)
    return GitStatus(repos=[found[path] for path in paths], truncated=truncated)


def _repository(path: str, said: str) -> Repository | UnreadRepository:
    lines = said.split("\n")
    complaint = next((line for line in lines if line and not line.startswith("=")), None)
    if complaint is not None:
        return UnreadRepository(path=path, error=complaint[:MAX_ERROR_CHARACTERS])
    try:
        return _with_figures(path, [line[1:].split() for line in lines if line])
    except ValueError as error:
        return UnreadRepository(path=path, error=str(error))


def _with_figures(path: str, lines: Iterable[Sequence[str]]) -> Repository:
    """Raises ValueError with what is wrong."""
    repository = Repository(path=path)
    told = set[str]()
    for words in lines:
        match words:
            case ["unpushed", "0", count]:
                repository = replace(repository, unpushed=_number(count))
            case ["stashed", "0", count]:
                repository = replace(repository, stashed=_number(count))
            case ["unpushed" | "stashed", _, *complaint]:
                raise ValueError(" ".join(complaint)[:MAX_ERROR_CHARACTERS] or _UNCLEAR)
            case [_, "exit", "0"]:
                pass
            case [count, *entry]:
                repository = _with_entry(repository, _number(count), entry)
        told.update(words)
    if not told >= {"exit", "branch.oid", "unpushed"}:
        raise ValueError(_UNCLEAR)
    return repository


def _with_entry(repository: Repository, count: int, entry: Sequence[str]) -> Repository:
    match entry:
        case ["1" | "2" | "u", state] if len(state) == 2:
            staged, modified = (0 if letter == "." else count for letter in state)
            return replace(repository, staged=repository.staged + staged, modified=repository.modified + modified)
        case ["?"]:
            return replace(repository, untracked=repository.untracked + count)
        case ["#", "branch.oid", head]:
            return replace(repository, head=None if head == "(initial)" else head)
        case ["#", "branch.head", branch]:
            return replace(repository, branch=None if branch == "(detached)" else branch)
        case ["#", "branch.ab", ahead, behind]:
            return replace(repository, ahead=_number(ahead[1:]), behind=_number(behind[1:]))
        case ["#", *_]:
            return repository
    raise ValueError(_UNCLEAR)


def _number(text: str) -> int:
    if _COUNT.fullmatch(text) is None:
        raise ValueError(_UNCLEAR)
    return int(text)
