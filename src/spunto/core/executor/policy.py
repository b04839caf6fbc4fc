"""The owner's limits for what stands on the node; they hold whatever the server asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from spunto.core.specs.spec import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Those of one kind; None is no limit. What is taken of the disk is measured, the rest is asked for."""

    max_count: int | None = None
    max_cpu_millis: int | None = None
    max_memory_bytes: int | None = None
    max_pids: int | None = None
    max_disk_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits by kind; a kind without an entry has none."""

    limits: Mapping[str, Limits] = field(default_factory=dict)

    def objection(self, kind: str, size: Size, *, others: int) -> str | None:
        """Why a subject of that size is not let in beside that many others of its kind."""
        limits = self.limits.get(kind)
        if limits is None:
            return None
        if limits.max_count is not None and others >= limits.max_count:
            return f"at most {limits.max_count} {kind}s"
        for asked, limit, what in (
            (size.cpu_millis, limits.max_cpu_millis, "thousandths of a cpu"),
            (size.memory_bytes, limits.max_memory_bytes, "bytes of memory"),
            (size.pids, limits.max_pids, "processes"),
        ):
            if limit is not None and asked > limit:
                return f"at most {limit} {what} for a {kind}, not {asked}"
        return None

    def disk_bytes(self, kind: str) -> int | None:
        """The most that a subject of the kind may take of the disk."""
        limits = self.limits.get(kind)
        return None if limits is None else limits.max_disk_bytes

    def largest_cpu_millis(self, machine: int) -> int:
        """The most that a subject of any kind gets on a machine of that many."""
        largest = (each.max_cpu_millis for each in self.limits.values())
        return min(machine, max((machine if each is None else each for each in largest), default=machine))
