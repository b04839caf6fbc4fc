"""Which projects a list is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFilter:
    """Every project that is all of what is said; None says nothing."""

    name: str | None = None
    tag: str | None = None


ALL = ProjectFilter()
