"""Tells what a run of everything came to: a table for people, JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`figures` count what must be 0; `note` says what else was measured, or how it failed."""

    name: str
    seconds: float
    note: str
    figures: dict[str, int] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    seed: int
    options: dict[str, Any]
    lines: Sequence[Line]

    @property
    def has_failed(self) -> bool:
        return any(line.failed for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def table(self) -> str:
        width = max(len(line.name) for line in self.lines)
        rows = []
        for line in self.lines:
            rows.append(
                f"{line.name:<{width}}  {'FAILED' if line.failed else 'ok':<6}  {line.seconds:6.1f} s  {line.note}"
            )
            rows += [f"{'':<{width}}  {count:>6}  {name.replace('_', ' ')}" for name, count in line.figures.items()]
        return "\n".join((f"seed {self.seed}", *rows, "FAILED" if self.has_failed else "ok"))
