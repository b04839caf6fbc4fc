"""Loads one address with as many requests as it answers, over connections that stay open."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fixtures.scripts import answer_of

CONNECTIONS: Final = 32
REPORT: Final = Path(__file__).parent / "wrk_report.lua"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    requests: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def load(url: str, headers: Mapping[str, str], *, seconds: int, tokens: Sequence[str] = ()) -> Answered:
    """Each request bears the next one of the tokens. Raises AssertionError where one was not answered well."""
    named = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    command = [
        answer_of("wrk"),
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "-s",
        str(REPORT),
        *named,
        url,
        "--",
        *tokens,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["failed"] == 0, report
    return Answered(requests=int(report["requests"]), seconds=float(report["microseconds"]) / 1e6)
