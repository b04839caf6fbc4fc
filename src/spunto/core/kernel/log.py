"""Where the core tells operators what it did, whoever keeps it."""

from typing import Protocol


class Log(Protocol):
    """Takes events: a constant name, and data in fields."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


def silent(event: str, /, **fields: object) -> None:
    """A log that keeps nothing."""
