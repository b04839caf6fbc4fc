"""The command line as its users run it: a process with its own saved login, on pipes or on a terminal."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.journeys.pseudo_terminal import PseudoTerminal

SPUNTO = str(Path(sys.executable).with_name("spunto"))
COMMAND_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """`home` is where it keeps its login."""

    home: Path
    program: str = SPUNTO

    def run(self, *arguments: str, stdin: str = "", code: int = 0, **environment: str) -> Done:
        """Run to the end; another exit code than the one expected is a failure that shows what was said."""
        done = subprocess.run(
            [self.program, *arguments],
            env={**self._environment(), **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def run_on_bytes(self, *arguments: str, stdin: bytes) -> bytes:
        """What it made of them."""
        done = subprocess.run(
            [self.program, *arguments],
            env=self._environment(),
            input=stdin,
            stdout=subprocess.PIPE,
            timeout=COMMAND_SECONDS,
            check=True,
        )
        return done.stdout

    @contextmanager
    def piped(self, *arguments: str, stderr: int | None = None) -> Iterator["subprocess.Popen[str]"]:
        """One that goes on, with a pipe for its output; it is ended with the block."""
        process = subprocess.Popen(
            [self.program, *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.terminate()

    @contextmanager
    def on_a_terminal(self, *arguments: str) -> Iterator[PseudoTerminal]:
        """One on a terminal that does not know its size yet."""
        with PseudoTerminal.running([self.program, *arguments], environment=self._environment()) as terminal:
            yield terminal

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SPUNTO_")}
        # The keyring of whoever runs the tests is none of their business.
        keyring = "keyring.backends.fail.Keyring"
        return {**kept, "PYTHON_KEYRING_BACKEND": keyring, "XDG_CONFIG_HOME": str(self.home)}
