"""An inspected exec is read as the engine means it."""

import pytest

from spunto.adapters.runtimes.exec_state import DOCKER, PODMAN


@pytest.mark.parametrize(
    ("running", "exit_code", "pid", "over"),
    [
        (True, None, 0, False),
        (True, None, 5, False),
        (False, None, 0, False),
        (False, 3, 5, True),
        (False, 126, 0, True),
    ],
)
def test_docker_is_over_with_the_exit_code(running: bool, exit_code: int | None, pid: int, over: bool) -> None:
    assert DOCKER.is_over({"Running": running, "ExitCode": exit_code, "Pid": pid}) is over


@pytest.mark.parametrize(
    ("running", "exit_code", "pid", "over"), [(True, 0, 5, False), (False, 0, 5, False), (False, 3, 0, True)]
)
def test_podman_is_over_when_it_has_dropped_the_pid(running: bool, exit_code: int, pid: int, over: bool) -> None:
    assert PODMAN.is_over({"Running": running, "ExitCode": exit_code, "Pid": pid}) is over


def test_docker_keeps_the_pid_of_what_has_run() -> None:
    assert DOCKER.never_ran({"Running": False, "ExitCode": 126, "Pid": 0}, "OCI runtime exec failed")
    assert not DOCKER.never_ran({"Running": False, "ExitCode": 127, "Pid": 5}, "sh: x: not found")


@pytest.mark.parametrize(
    ("words", "never_ran"),
    [
        ('exec: "x": not found in $PATH: OCI runtime attempted to invoke a command that was not found', True),
        ('exec: "/etc": permission denied: OCI permission denied', True),
        ("sh: x: not found", False),
        ("", False),
    ],
)
def test_podman_says_in_words_that_a_command_never_ran(words: str, never_ran: bool) -> None:
    assert PODMAN.never_ran({"Running": False, "ExitCode": 127, "Pid": 0}, words) is never_ran
