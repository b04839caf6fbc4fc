"""What a subject may take of its node's disk, and when what is left of that disk is news to the server; pure."""

from dataclasses import dataclass
from typing import Final

from spunto.core.kernel.problem import Problem
from spunto.core.kernel.sizes import size_text

GRACE_SECONDS: Final = 600.0
"""What was stopped for its disk and started again has so long to delete what it does not need."""
GRACE_BYTES: Final = 64 * 1024**2
"""And may grow by so much meanwhile: deleting takes some room, too."""
HURRY_BYTES: Final = 256 * 1024**2
"""Once so much of the disk was taken since the last look at subjects, the next one does not wait for its time."""
_LARGEST_RESERVE_BYTES: Final = 2 * 1024**3
_RESERVED_SHARE: Final = 20
_NEWS_SHARE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """What a container takes of the disk, in bytes: by its own files beyond its image's, and by those in volumes."""

    container_bytes: int
    volume_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.container_bytes + self.volume_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """The disk on which an engine keeps containers, volumes and images."""

    total_bytes: int
    free_bytes: int

    def reserve_bytes(self, wanted: int | None) -> int:
        """What is left to the machine: as its owner wants it, else a twentieth, but no more than 2 GiB."""
        return min(_LARGEST_RESERVE_BYTES, self.total_bytes // _RESERVED_SHARE) if wanted is None else wanted

    def is_news_after(self, told: "DiskSpace | None", *, reserve_bytes: int) -> bool:
        """Whether the server should hear of it: the reserve is touched or whole again, or some percents have changed.

        What is whole again by a hair is not told, or a disk at its reserve would be told of for ever.
        """
        if told is None or told.total_bytes != self.total_bytes:
            return True
        was_short = told.free_bytes < reserve_bytes
        if was_short and self.free_bytes >= reserve_bytes:
            return self.free_bytes >= reserve_bytes + reserve_bytes // 10
        if not was_short and self.free_bytes < reserve_bytes:
            return True
        return abs(self.free_bytes - told.free_bytes) >= max(HURRY_BYTES, self.total_bytes // _NEWS_SHARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One run of a container: `first_bytes` is what it took when it was first looked at, `seconds` ago; `was_stopped`
    whether an earlier run was ended for its disk, so that its owner knows."""

    first_bytes: int
    seconds: float
    was_stopped: bool


def objection(use: DiskUse, stay: Stay, *, limit_bytes: int) -> Problem | None:
    """Why the container has to be stopped; None where it may go on."""
    if use.total_bytes <= limit_bytes or _is_clearing_up(use, stay, limit_bytes):
        return None
    ways = [f"start it and delete within {GRACE_SECONDS / 60:g} minutes what it does not need"]
    if use.volume_bytes <= limit_bytes:
        ways.append("rebuild it, which keeps /workspace and drops the rest")
    ways.append(f"have the node's owner allow more than {size_text(limit_bytes)}")
    return Problem(
        code="disk_limit_exceeded",
        message=f"It was stopped because it takes {size_text(use.total_bytes)} of its node's disk, "
        f"{size_text(use.volume_bytes)} of that in volumes such as /workspace, and {size_text(limit_bytes)} is the "
        f"most there: {', or '.join(ways)}.",
    )


def _is_clearing_up(use: DiskUse, stay: Stay, limit_bytes: int) -> bool:
    knows = stay.was_stopped and stay.first_bytes > limit_bytes
    return knows and stay.seconds < GRACE_SECONDS and use.total_bytes <= stay.first_bytes + GRACE_BYTES
