"""How the command line ends when the world around it is not as it should be: one line and an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from spunto.entrypoints.cli.edge import main; main()"


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        ("org list", {"SPUNTO_URL": "http://h:99999"}, 2, "'http://h:99999' is not the URL of a server"),
        ("org list", {"SPUNTO_URL": "http://[::1"}, 2, "'http://[::1' is not the URL of a server"),
        ("org list", {"SPUNTO_TOKEN": "é"}, 2, "The token has characters that no token has"),
        ("org list", {"SPUNTO_TOKEN": "a\nb"}, 2, "The token has characters that no token has"),
        ("org list", {"SPUNTO_URL": "http://h.test", "HTTP_PROXY": "::::"}, 2, "HTTP_PROXY is not the URL of a proxy"),
        ("org list", {"SPUNTO_URL": "http://h.test", "ALL_PROXY": "ftp://x"}, 2, "ALL_PROXY is not the URL of a proxy"),
        (
            "org use default",
            {"XDG_CONFIG_HOME": "/proc/version"},
            1,
            "Can't use /proc/version/spunto/login.json: Not a",
        ),
        ("org list", {"SPUNTO_URL": "http://127.0.0.1:9/\udcff"}, 2, "An argument, or a SPUNTO_… variable, has bytes"),
        ("login --token-file /proc", {}, 2, "Can't read /proc: [Errno 21] Is a directory"),
        ("config", {"SPUNTO_CONFIG": "/proc/version"}, 2, ""),
    ],
)
def test_an_odd_surrounding_is_told_in_one_line(
    tmp_path: Path, arguments: str, environment: dict[str, str], code: int, said: str
) -> None:
    done = _run(tmp_path, *arguments.split(), **environment)

    [line] = done.stderr.splitlines()
    assert (done.returncode, line.startswith(f"error: {said}")) == (code, True), line


def test_programs_get_the_same_as_json(tmp_path: Path) -> None:
    (tmp_path / "spunto" / "login.json").mkdir(parents=True)

    done = _run(tmp_path, "org", "list", "--json")

    problem = json.loads(done.stderr)
    assert (done.returncode, problem["code"]) == (1, "system_error")
    assert problem["detail"] == f"Can't use {tmp_path}/spunto/login.json: Is a directory."


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 1, "error: Bad file descriptor.\n"),
        (">/dev/full", 1, "error: No space left on device.\n"),
        (">&- 2>&-", 1, ""),
        ("<&-", 0, ""),
    ],
)
def test_output_that_can_t_be_written_is_a_failure(tmp_path: Path, redirection: str, code: int, said: str) -> None:
    done = _run(tmp_path, "version", shell=redirection)

    assert (done.returncode, done.stderr) == (code, said)


def test_a_reader_that_has_enough_hears_nothing_more(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "config"],
        env=_environment(tmp_path),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")


def test_a_bug_is_told_in_one_line_and_traced_for_who_asks(tmp_path: Path) -> None:
    broken = f"import spunto.entrypoints.cli.main as it; it.main = lambda: 1 / 0; {PROGRAM}"

    short = _run(tmp_path, "version", program=broken)
    long = _run(tmp_path, "version", program=broken, SPUNTO_TRACE="1")

    said = "error: This is a bug in Spunto: ZeroDivisionError: division by zero (SPUNTO_TRACE=1 shows where.)\n"
    assert (short.returncode, short.stderr) == (1, said)
    assert (long.stderr[:9], long.stderr.endswith(said)) == ("Traceback", True)


def _run(
    home: Path, *arguments: str, program: str = PROGRAM, shell: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {shell}', "sh", *command],
        env={**_environment(home), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPUNTO_")}
    own = {"XDG_CONFIG_HOME": str(home), "SPUNTO_DATA_DIR": str(home), "SPUNTO_TOKEN": "x"}
    return {**kept, **own, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
