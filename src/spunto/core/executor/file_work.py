"""Work on the files of a container, under way: the port that engines implement."""

from typing import Any, Protocol

from spunto.core.kernel.errors import Conflict, Unavailable


class FileRefused(Conflict):
    """The container's own files, or its user's rights, don't allow it. `code` is one of those that a helper tells."""


class FilesOutOfReach(Unavailable):
    """The agent can't get at the container's files."""

    def __init__(self, detail: str) -> None:
        super().__init__("files_out_of_reach", f"The node's agent can't reach the worker's files: {detail}")


class FileWork(Protocol):
    """One request about the files of a container, as its own user. Closing it breaks it off: what was being written
    is as if it had never begun."""

    async def next(self) -> bytes | dict[str, Any] | None:
        """What comes next, facts or at most 256 KiB of content; None at the end. Raises FileRefused."""

    async def write(self, data: bytes) -> None:
        """Send content, as fast as it is taken. Work that has ended takes nothing any more, and `next` says why."""

    async def write_end(self) -> None:
        """All content has been sent. Only then anything is put in its place."""

    async def aclose(self) -> None:
        """Let go of the work. Repeating is harmless."""
