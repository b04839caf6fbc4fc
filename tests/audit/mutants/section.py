"""Whether the tests notice mistakes in what decides who may do what: one mutant after the other, in copies of the tree.

`python -m tests.audit.mutants [--seconds N] [--jobs N] [PATH...]` tries them for a while, or those of some modules.
"""

import difflib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Final

from tests.audit.figures import Figure, Section
from tests.audit.mutants.mutations import Mutant, enums_of, mutants_of

ROOT: Final = Path(__file__).parents[3]
AT_LEAST_PERCENT: Final = 95.0
SECONDS: Final = 5400.0
JOBS: Final = 2
RUN_SECONDS: Final = 60
EQUIVALENT: Final = Path(__file__).with_name("equivalent.txt")
COPIED: Final = ("src", "agent", "tests", "docs", "scripts", "pyproject.toml", "README.md")

_CORE: Final = "src/spunto/core"
_DOORS: Final = "src/spunto/entrypoints"
_ENUMS: Final = (f"{_CORE}/access/policy.py", f"{_CORE}/access/model.py", f"{_DOORS}/serving/limits.py")
_TABLE: Final = "tests/unit/authorization/test_table.py"
_ACCESS: Final = "tests/unit/core/access"
_SESSIONS: Final = "tests/unit/core/orgs/test_orgs_sessions.py"
_HTTP: Final = "tests/unit/entrypoints/http"
_DOOR: Final = tuple(f"{_HTTP}/test_{name}.py" for name in ("security", "auth", "guards", "limits"))
_KEYS: Final = ("tests/unit/core/orgs/test_orgs_api_keys.py", f"{_HTTP}/test_api_keys_api.py")
_TERMINAL: Final = "tests/unit/entrypoints/ws/test_terminal.py"

TARGETS: Final[Mapping[str, Sequence[str]]] = {
    f"{_CORE}/access/policy.py": (_TABLE, _ACCESS),
    f"{_CORE}/access/model.py": (_ACCESS, *_KEYS),
    f"{_CORE}/access/sessions.py": (_ACCESS, _SESSIONS),
    f"{_CORE}/access/service.py": (_ACCESS, _SESSIONS),
    f"{_CORE}/access/recognition.py": (_ACCESS, *_KEYS),
    f"{_CORE}/access/api_keys.py": (_ACCESS, *_KEYS),
    f"{_CORE}/access/key_uses.py": (_KEYS[0], _ACCESS),
    f"{_CORE}/access/standing.py": (_ACCESS, _TERMINAL),
    f"{_CORE}/orgs/api_keys.py": _KEYS,
    f"{_CORE}/orgs/sessions.py": (_SESSIONS, _ACCESS),
    f"{_DOORS}/serving/endpoints.py": (_TABLE, f"{_HTTP}/test_limits.py"),
    f"{_DOORS}/serving/security.py": (*_DOOR, _TERMINAL),
    f"{_DOORS}/http/admission.py": (
        *(f"{_HTTP}/test_{name}.py" for name in ("admission", "preconditions", "conventions", "orgs_api")),
        *_DOOR,
    ),
}
"""Each module with its tests, those first that are fast and likely to notice."""

THOROUGH: Final = (*_DOOR, f"{_HTTP}/test_reach_api.py", "tests/unit/authorization")
"""What is asked about those that come through their own."""


def audit_mutants(folder: Path) -> Section:
    return try_mutants(folder, list(TARGETS), seconds=SECONDS, jobs=JOBS)


def try_mutants(folder: Path, paths: Sequence[str], *, seconds: float, jobs: int) -> Section:
    enums = {name: members for path in _ENUMS for name, members in enums_of((ROOT / path).read_text()).items()}
    made = [mutant for path in paths for mutant in mutants_of(path, (ROOT / path).read_text(), enums)]
    known = equivalent()
    waiting: SimpleQueue[Mutant] = SimpleQueue()
    # What there is time for is about everything.
    for mutant in sorted(made, key=lambda each: hashlib.sha256(each.name.encode()).digest()):
        if mutant.name not in known:
            waiting.put(mutant)
    tried: list[tuple[Mutant, str]] = []
    deadline = time.monotonic() + seconds

    def work(number: int) -> None:
        with Runner.started(folder / str(number)) as runner, suppress(Empty):
            runner.require_good(paths)
            while time.monotonic() < deadline:
                mutant = waiting.get_nowait()
                tried.append((mutant, runner.outcome(mutant)))

    with ThreadPoolExecutor(jobs) as pool:
        for worker in [pool.submit(work, number) for number in range(jobs)]:
            worker.result()
    gone = known.keys() - {mutant.name for mutant in made} if len(paths) == len(TARGETS) else ()
    return _told(made, tried, known=len([mutant for mutant in made if mutant.name in known]), gone=sorted(gone))


def equivalent() -> Mapping[str, str]:
    """Mutants that no test can notice, because they change nothing that matters, each with the reason."""
    lines = [line for line in EQUIVALENT.read_text().splitlines() if line and not line.startswith("#")]
    return {name: reason for name, _, reason in (line.partition("  # ") for line in lines)}


def _told(made: Sequence[Mutant], tried: Sequence[tuple[Mutant, str]], *, known: int, gone: Sequence[str]) -> Section:
    counted = Counter(outcome for _, outcome in tried)
    survivors = sorted((mutant for mutant, outcome in tried if outcome == "survived"), key=lambda each: each.name)
    # Told while the section is not judged by each of them.
    print("".join(f"survived: {_shown(mutant)}\n" for mutant in survivors), end="")
    noticed = 100 * (len(tried) - len(survivors)) / max(1, len(tried))
    return Section(
        title="Mistakes in policy, sessions, keys and doors that the tests notice",
        figures=[
            Figure(name="mutants", value=len(made)),
            Figure(name="known to change nothing", value=known),
            Figure(name="tried", value=len(tried)),
            Figure(name="without time", value=len(made) - known - len(tried), at_most=0),
            Figure(name="noticed because nothing ended", value=counted["timeout"]),
            Figure(name="survived", value=len(survivors)),
            Figure(name="noticed", value=round(noticed, 2), unit="%", at_least=AT_LEAST_PERCENT),
        ],
        complaints=[f"{EQUIVALENT.name} names what is no mutant any more: {name}" for name in gone],
    )


def _shown(mutant: Mutant) -> str:
    lines = difflib.unified_diff(
        (ROOT / mutant.path).read_text().splitlines(), mutant.text.splitlines(), lineterm="", n=0
    )
    changes = [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]
    return "\n  ".join([f"{mutant.path}:{mutant.line}", *changes, mutant.name])


class Runner:
    """A process that tries mutants in a copy of its own."""

    def __init__(self, inward: IO[str], outward: IO[str]) -> None:
        self._inward = inward
        self._outward = outward

    @classmethod
    @contextmanager
    def started(cls, place: Path) -> "Iterator[Runner]":
        place.mkdir()
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, place / name)
        path = os.pathsep.join(str(place / name) for name in ("src", "agent", "."))
        with subprocess.Popen(
            [sys.executable, "-m", "tests.audit.mutants.runner"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            yield cls(process.stdin, process.stdout)
            process.stdin.close()

    def require_good(self, paths: Sequence[str]) -> None:
        """Raises AssertionError where the tests fail by themselves, which would make every mutant a noticed one."""
        tests = list(dict.fromkeys(test for path in paths for test in TARGETS[path]))
        text = (ROOT / paths[0]).read_text()
        assert self._ask(paths[0], text, tests, seconds=900) == "survived", "the tests fail without any mutant"

    def outcome(self, mutant: Mutant) -> str:
        """`killed`, `timeout` or `survived`."""
        first = self._ask(mutant.path, mutant.text, TARGETS[mutant.path], seconds=RUN_SECONDS)
        return first if first != "survived" else self._ask(mutant.path, mutant.text, THOROUGH, seconds=3 * RUN_SECONDS)

    def _ask(self, path: str, text: str, tests: Sequence[str], *, seconds: int) -> str:
        job = {"path": path, "text": text, "tests": list(tests), "seconds": seconds}
        self._inward.write(json.dumps(job) + "\n")
        self._inward.flush()
        answer: str = json.loads(self._outward.readline())
        return answer
