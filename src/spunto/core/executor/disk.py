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
FILE_BYTES: Final = 4096
"""Each file counts for so much at least: a file system has room for so many of them only, however small they are."""
_LARGEST_RESERVE_BYTES: Final = 2 * 1024**3
_RESERVED_SHARE: Final = 20
_NEWS_SHARE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """What a container takes of the disk: by its own files beyond its image's, and by those in volumes. Of files there
    are 0 where nobody counts them."""

    container_bytes: int
    volume_bytes: int
    container_files: int = 0
    volume_files: int = 0

    @property
    def total_bytes(self) -> int:
        return self.container_bytes + self.volume_bytes

    @property
    def files(self) -> int:
        return self.container_files + self.volume_files

    @property
    def charged_bytes(self) -> int:
        """What is held against the limit."""
        return max(self.total_bytes, FILE_BYTES * self.files)

    @property
    def kept_bytes(self) -> int:
        """What of that a rebuild leaves."""
        return max(self.volume_bytes, FILE_BYTES * self.volume_files)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """The disk on which an engine keeps containers, volumes and images; `total_files` is 0 where their number has no
    limit of its own."""

    total_bytes: int
    free_bytes: int
    total_files: int = 0
    free_files: int = 0

    @property
    def reserve_files(self) -> int:
        return self.total_files // _RESERVED_SHARE

    def reserve_bytes(self, wanted: int | None) -> int:
        """What is left to the machine: as its owner wants it, else a twentieth, but no more than 2 GiB."""
        return min(_LARGEST_RESERVE_BYTES, self.total_bytes // _RESERVED_SHARE) if wanted is None else wanted

    def is_short(self, reserve_bytes: int) -> bool:
        return self.free_bytes < reserve_bytes or self.free_files < self.reserve_files

    def is_news_after(self, told: "DiskSpace | None", *, reserve_bytes: int) -> bool:
        """Whether the server should hear of it: the reserve is touched or whole again, or some percents have changed.

        What is whole again by a hair is not told, or a disk at its reserve would be told of for ever.
        """
        if told is None or (told.total_bytes, told.total_files) != (self.total_bytes, self.total_files):
            return True
        if told.is_short(reserve_bytes) and not self.is_short(reserve_bytes):
            roomy = self.free_bytes >= reserve_bytes + reserve_bytes // 10
            return roomy and self.free_files >= self.reserve_files + self.reserve_files // 10
        if self.is_short(reserve_bytes) and not told.is_short(reserve_bytes):
            return True
        moved_files = abs(self.free_files - told.free_files)
        moved_bytes = abs(self.free_bytes - told.free_bytes)
        enough_files = 0 < self.total_files <= moved_files * _NEWS_SHARE
        return moved_bytes >= max(HURRY_BYTES, self.total_bytes // _NEWS_SHARE) or enough_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One run of a container: `first_bytes` were held against it when it was first looked at, `seconds` ago;
    `was_stopped` whether an earlier run was ended for its disk, so that its owner knows."""

    first_bytes: int
    seconds: float
    was_stopped: bool


def objection(use: DiskUse, stay: Stay, *, limit_bytes: int) -> Problem | None:
    """Why the container has to be stopped; None where it may go on."""
    if use.charged_bytes <= limit_bytes or _is_clearing_up(use, stay, limit_bytes):
        return None
    ways = [f"start it and delete within {GRACE_SECONDS / 60:g} minutes what it does not need"]
    if use.kept_bytes <= limit_bytes:
        ways.append("rebuild it, which keeps /workspace and drops the rest")
    ways.append(f"have the node's owner allow more than {size_text(limit_bytes)}")
    excess = _excess(use, limit_bytes)
    message = f"It was stopped because {excess}: {', or '.join(ways)}."
    return Problem(code="disk_limit_exceeded", message=message)


def _excess(use: DiskUse, limit_bytes: int) -> str:
    where, limit = "in volumes such as /workspace", size_text(limit_bytes)
    if use.total_bytes > limit_bytes:
        takes, kept = size_text(use.total_bytes), size_text(use.volume_bytes)
        return f"it takes {takes} of its node's disk, {kept} of that {where}, and {limit} is the most there"
    most = limit_bytes // FILE_BYTES
    return f"it has {use.files} files, {use.volume_files} of them {where}, and {most} is the most there ({limit})"


def _is_clearing_up(use: DiskUse, stay: Stay, limit_bytes: int) -> bool:
    knows = stay.was_stopped and stay.first_bytes > limit_bytes
    return knows and stay.seconds < GRACE_SECONDS and use.charged_bytes <= stay.first_bytes + GRACE_BYTES
