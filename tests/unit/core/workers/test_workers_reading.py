"""What is read out of workers: git's state, listening ports, and what a command said. Their output is anybody's."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.errors import Unavailable
from spunto.core.workers import git_status, listening
from spunto.core.workers.git_status import Repository
from spunto.core.workers.listening import Listener
from spunto.core.workers.transcript import ExecResult, Transcript

STATUS = """\
noise before the first repository
repo /workspace/one
# branch.oid 1234abcd
# branch.head main
# branch.upstream origin/main
# branch.ab +2 -1
# stash 3
1 M. N... 100644 100644 100644 a b staged.py
1 .M N... 100644 100644 100644 a b modified.py
2 RM N... 100644 100644 100644 a b R100 new.py\told.py
u UU N... 100644 100644 100644 100644 a b c both.py
? new.txt
! ignored.txt
unpushed 2
repo /workspace/with space
# branch.oid (initial)
# branch.head (detached)
unpushed
"""


def test_git_s_machine_format_is_read() -> None:
    assert git_status.parse(STATUS) == [
        Repository(
            path="/workspace/one",
            branch="main",
            head="1234abcd",
            ahead=2,
            behind=1,
            staged=3,
            modified=3,
            untracked=1,
            unpushed=2,
            stashed=3,
        ),
        Repository(path="/workspace/with space"),
    ]


words = st.sampled_from(
    ["repo", "#", "1", "2", "u", "?", "unpushed", "branch.ab", "branch.oid", "stash", "+", "-", "\u00b2", "9" * 5000]
)
scribble = st.lists(words | st.text(), max_size=8).map(" ".join)


@given(st.lists(scribble).map("\n".join))
def test_whatever_a_worker_says_is_read_without_a_failure(output: str) -> None:
    git_status.parse(f"repo x\n{output}")
    listening.parse(output)


@pytest.mark.parametrize("figure", ["\u00b2", "\u0663", "", "-1", "9" * 5000])
def test_a_figure_that_is_none_is_passed_over(figure: str) -> None:
    lines = ["repo x", f"# branch.ab +{figure} -{figure}", f"# stash {figure}", f"unpushed {figure}"]

    assert git_status.parse("\n".join(lines)) == [Repository(path="x")]
    assert listening.parse(f"LISTEN 0 1 *:{figure} *:*") == []


def test_git_itself_is_understood(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *identity, "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "kept").write_text("1")
    git("add", "kept")
    git("commit", "-m", "first")
    (tmp_path / "kept").write_text("2")
    git("stash")
    (tmp_path / "kept").write_text("3")
    (tmp_path / "new").write_text("1")
    (tmp_path / "staged").write_text("1")
    git("add", "staged")
    script = git_status.COMMAND[2].replace("/workspace", str(tmp_path))

    said = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout

    [repository] = git_status.parse(said)
    assert repository.head is not None
    assert repository == Repository(
        path=str(tmp_path),
        branch="main",
        head=repository.head,
        staged=1,
        modified=1,
        untracked=1,
        unpushed=1,
        stashed=1,
    )


def test_listeners_are_read_with_their_process() -> None:
    output = """\
LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=7,fd=3),("python3",pid=8,fd=3))
LISTEN 0 128 [::1]:22 [::]:*
LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:*
LISTEN 0 128 [::1]:22 [::]:*
ESTAB 0 0 10.0.0.1:5000 10.0.0.2:80
LISTEN 0 128 nonsense 0.0.0.0:*
LISTEN 0 128 *:http *:*
LISTEN
"""

    assert listening.parse(output) == [
        Listener(port=22, address="::1", process=None),
        Listener(port=53, address="127.0.0.53%lo", process=None),
        Listener(port=8080, address="0.0.0.0", process="python3"),
    ]


def test_the_engine_s_own_dns_is_not_the_worker_s_listener() -> None:
    output = """\
LISTEN 0 4096 127.0.0.11:45941 0.0.0.0:*
LISTEN 0 128 127.0.0.11:53 0.0.0.0:* users:(("dnsmasq",pid=7,fd=3))
"""

    assert listening.parse(output) == [Listener(port=53, address="127.0.0.11", process="dnsmasq")]


def test_outputs_are_kept_apart_and_the_end_is_told() -> None:
    transcript = Transcript(limit_bytes=100)
    for piece in ({"fd": 1}, b"out", {"fd": 2}, b"err", {"fd": 1}, b"put", {"exitCode": 3, "durationMs": 7}):
        transcript.add(piece)

    assert transcript.result() == ExecResult(
        exit_code=3, stdout=b"output", stderr=b"err", truncated=False, timed_out=False, duration_ms=7
    )


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20))), st.integers(min_value=0, max_value=50))
def test_the_first_bytes_of_each_output_are_kept(pieces: list[tuple[int, bytes]], limit_bytes: int) -> None:
    transcript = Transcript(limit_bytes=limit_bytes)
    for fd, data in pieces:
        transcript.add({"fd": fd})
        transcript.add(data)
    transcript.add({"exitCode": 124, "durationMs": 1, "timedOut": True})

    result = transcript.result()

    stdout, stderr = (b"".join(data for said_on, data in pieces if said_on == fd) for fd in (1, 2))
    assert (result.stdout, result.stderr) == (stdout[:limit_bytes], stderr[:limit_bytes])
    assert result.truncated == (max(len(stdout), len(stderr)) > limit_bytes)
    assert (result.exit_code, result.timed_out) == (124, True)


@pytest.mark.parametrize("piece", [b"output", {"fd": 2}, {"exitCode": None}, {"exitCode": "0"}, {"fd": "x"}])
def test_an_end_that_was_never_told_is_none(piece: bytes | dict[str, object]) -> None:
    transcript = Transcript(limit_bytes=10)
    transcript.add(piece)

    with pytest.raises(Unavailable) as caught:
        transcript.result()

    assert caught.value.code == "exec_cut_off"
