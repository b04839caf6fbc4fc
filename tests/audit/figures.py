"""What an audit found: figures, each with what it has to be."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`at_least` or `at_most` is what it is judged by; a figure without either is told and not judged."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_good(self) -> bool:
        enough = self.at_least is None or self.value >= self.at_least
        return enough and (self.at_most is None or self.value <= self.at_most)

    def __str__(self) -> str:
        bounds = [f"at least {self.at_least:,g}"] if self.at_least is not None else []
        bounds += [f"at most {self.at_most:,g}"] if self.at_most is not None else []
        verdict = f" ({', '.join(bounds)}: {'yes' if self.is_good else 'NO'})" if bounds else ""
        return f"{self.name}: {self.value:,g}{f' {self.unit}' if self.unit else ''}{verdict}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the audit. `complaints` say what was wrong, one each."""

    title: str
    figures: Sequence[Figure]
    complaints: Sequence[str] = field(default=())

    @property
    def is_good(self) -> bool:
        return not self.complaints and all(figure.is_good for figure in self.figures)
