"""What works with each extra of the package, and what is said of the rest. The others' packages are hidden."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest

PROGRAM = """
import sys
for hidden in {hidden!r}:
    sys.modules[hidden] = None
sys.argv = ["spunto", *{arguments!r}]
from spunto.entrypoints.cli.edge import main
main()
"""

AGENT = PROGRAM.replace("spunto.entrypoints.cli.edge", "spunto_agent.main").replace("\nmain()", "\nsys.exit(main())")


@pytest.mark.parametrize(
    ("extras", "arguments", "code", "said"),
    [
        ((), ["--help"], 1, "The command line needs: pip install 'spunto[cli]'"),
        ((), ["worker", "list"], 1, "`spunto worker` needs: pip install 'spunto[cli]'"),
        ((), ["up", "--demo"], 1, "`spunto up` needs: pip install 'spunto[server,agent,cli]'"),
        ((), ["serve"], 1, "`spunto serve` needs: pip install 'spunto[server]'"),
        ((), ["agent"], 1, "`spunto agent` needs: pip install 'spunto[agent]'"),
        (("cli",), ["--help"], 0, ""),
        (("cli",), ["version"], 0, ""),
        (("cli",), ["config"], 0, ""),
        (("cli",), ["worker", "--help"], 0, ""),
        (("cli",), ["serve"], 1, "`spunto serve` needs: pip install 'spunto[server]'"),
        (("cli",), ["up"], 1, "`spunto up` needs: pip install 'spunto[server,agent,cli]'"),
        (("server",), ["--help"], 0, ""),
        (("server",), ["db", "upgrade", "--url", "nonsense"], 78, "The database's URL can't be read."),
        (("server",), ["openapi"], 0, ""),
        (("server",), ["config"], 0, ""),
        (("server",), ["keys", "--help"], 0, ""),
        (("server",), ["up"], 1, "`spunto up` needs: pip install 'spunto[server,agent,cli]'"),
        (("server",), ["agent"], 1, "`spunto agent` needs: pip install 'spunto[agent]'"),
        (("server",), ["edge"], 1, "`spunto edge` needs: pip install 'spunto[edge]'"),
        (("edge",), ["edge", "--help"], 0, ""),
        (("edge",), ["edge", "list"], 1, "`spunto edge` needs: pip install 'spunto[server]'"),
        (("agent",), ["worker", "list"], 1, "`spunto worker` needs: pip install 'spunto[cli]'"),
    ],
)
def test_each_extra_gives_its_commands_and_the_rest_say_what_to_install(
    extras: tuple[str, ...], arguments: list[str], code: int, said: str
) -> None:
    done = _run(extras, arguments)

    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_agent_s_extra_loads_the_agent() -> None:
    """The command turns into another process, in which nothing would be hidden any more."""
    done = _run(
        ("agent",), [], program=AGENT, environment={"SPUNTO_AGENT_SERVER_URL": "nowhere", "SPUNTO_AGENT_TOKEN": "x"}
    )

    assert (done.returncode, "server_url" in done.stderr) == (78, True), done.stderr


def _run(
    extras: tuple[str, ...],
    arguments: list[str],
    *,
    program: str = PROGRAM,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    there = set(_with_what_they_need(["spunto", *(f"spunto[{extra}]" for extra in extras)]))
    hidden = [
        module
        for module, distributions in installed().items()
        if module.isidentifier() and not there.intersection(map(_plain, distributions))
    ]
    return subprocess.run(
        [sys.executable, "-c", program.format(hidden=hidden, arguments=arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(environment or {})},
    )


# It reads the lists of files of all that is installed.
installed = cache(packages_distributions)


def _with_what_they_need(wanted: list[str]) -> Iterator[str]:
    """The names of these distributions and of all that stand below them; a name may bring extras in brackets."""
    seen: set[str] = set()
    while wanted:
        name, _, extras = wanted.pop().partition("[")
        key = f"{name}[{extras}"
        if key in seen:
            continue
        seen.add(key)
        yield _plain(name)
        try:
            below = requires(name) or []
        except PackageNotFoundError:
            continue
        for each in below:
            requirement, _, marker = each.partition(";")
            of_extra = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
            if of_extra is None or of_extra[1] in extras.rstrip("]").split(","):
                found = re.match(r"[\w.-]+(\[[\w,-]+\])?", requirement.strip())
                wanted += [found[0]] if found else []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
