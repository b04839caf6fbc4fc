"""How ages, moments, sizes and pairs look to people."""

from collections.abc import Iterable
from datetime import UTC, datetime

from spunto.core.kernel.sizes import size_text


def age(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that leaves a whole number."""
    if at is None:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - at).total_seconds()))
    for unit_seconds, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit_seconds:
            return f"{seconds // unit_seconds}{unit}"
    return f"{seconds}s"


def span(seconds: int | None) -> str:
    """In the largest unit that leaves a whole number, as options take it."""
    if seconds is None:
        return ""
    for unit_seconds, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % unit_seconds == 0:
            return f"{seconds // unit_seconds}{unit}"
    return f"{seconds}s"


def size(count_bytes: int | None) -> str:
    return "" if count_bytes is None else size_text(count_bytes)


def instant(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def said(value: object) -> str:
    """A fact in words."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def named(thing_id: str, name: str | None) -> str:
    """What people know it by, where that is known, beside what programs do."""
    return f"{name} ({thing_id})" if name else thing_id


def pairs(values: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values)


def share(taken: str, whole: str | None) -> str:
    return "" if whole is None else f"{taken} / {whole}"
