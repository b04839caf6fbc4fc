"""`python -m tests.audit.mutants.runner`: tries mutants in the directory that it stands in, one line of JSON each.

Each is tried in a fork of this process, which has imported what the tests need and none of our own code: that is most
of the time that a run of a few tests takes.
"""

import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_NEEDED: Final = (
    "aiosmtplib",
    "cryptography.hazmat.primitives.ciphers.aead",
    "dependency_injector.containers",
    "httpx",
    "hypercorn.asyncio",
    "hypothesis.stateful",
    "joserfc.jwt",
    "opentelemetry.sdk.trace",
    "prometheus_client",
    "pydantic_settings",
    "pytest_asyncio.plugin",
    "pytest_timeout",
    "quart.testing",
    "sqlalchemy.ext.asyncio",
    "structlog.testing",
    "xdist.plugin",
)
_OPTIONS: Final = (
    "-q",
    "-x",
    "--hypothesis-seed=0",
    "-p",
    "no:cacheprovider",
    "-W",
    "ignore::pytest.PytestWarning",
    "-m",
    "not long",
    "-o",
    "timeout=0",
)


def main() -> None:
    for name in _NEEDED:
        importlib.import_module(name)
    for line in sys.stdin:
        print(json.dumps(_tried(json.loads(line))), flush=True)


def _tried(job: dict[str, Any]) -> str:
    """`killed`, `timeout` or `survived`; as the module was before, it is again afterwards."""
    module = Path(job["path"])
    original = module.read_text()
    for stale in module.parent.glob(f"__pycache__/{module.stem}.*"):
        stale.unlink()
    try:
        module.write_text(job["text"])
        return _verdict([*_OPTIONS, *job["tests"]], seconds=job["seconds"], compiles=job["text"] == original)
    finally:
        module.write_text(original)


def _verdict(arguments: list[str], *, seconds: int, compiles: bool) -> str:
    child = os.fork()
    if child == 0:
        _test(arguments, seconds, compiles=compiles)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timeout"
    return "survived" if os.WEXITSTATUS(status) == 0 else "killed"


def _test(arguments: list[str], seconds: int, *, compiles: bool) -> None:
    """Never returns. What hangs is ended by the alarm, whose default is to end the process."""
    signal.alarm(seconds)
    # The first run compiles everything; a mutant must never be taken for what its module was a moment ago.
    sys.dont_write_bytecode = not compiles
    with suppress(OSError), Path(os.devnull).open("r+b") as nothing:
        for number in (0, 1, 2):
            os.dup2(nothing.fileno(), number)
    code = 1
    try:
        import pytest

        code = int(pytest.main(arguments))
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
