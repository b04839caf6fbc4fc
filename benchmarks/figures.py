"""What a benchmark says: one row a claim, ours against a reference that was measured in the same run."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim. `figure` is held against `goal`, where one is set; `detail` gives the raw figures of both sides."""

    name: str
    figure: float
    unit: str
    goal: float | None
    better: Literal["lower", "higher"]
    detail: str

    @property
    def is_met(self) -> bool:
        if self.goal is None:
            return True
        return self.figure <= self.goal if self.better == "lower" else self.figure >= self.goal

    def __str__(self) -> str:
        if self.goal is None:
            return f"| {self.name} | {self.figure:.3g} {self.unit} | | | {self.detail} |"
        sign = "≤" if self.better == "lower" else "≥"
        verdict = "met" if self.is_met else "missed"
        return f"| {self.name} | {self.figure:.3g} {self.unit} | {sign} {self.goal:g} | {verdict} | {self.detail} |"


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def spread(samples: Sequence[float], *, scale: float = 1000, unit: str = "ms") -> str:
    """Median and the middle half, for a row's detail."""
    low, middle, high = statistics.quantiles(samples, n=4)
    return f"{middle * scale:.3g} ({low * scale:.3g}–{high * scale:.3g}) {unit}, n={len(samples)}"
