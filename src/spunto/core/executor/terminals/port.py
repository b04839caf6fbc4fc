"""Where shells in terminals live, whatever becomes of those who look at them; values and the ports around it.

Everything in this package needs nothing but the standard library: the holder's process carries all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from spunto.core.kernel.errors import NotFound

LARGEST_SIDE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Columns and rows, each from 1 to 4096."""

    cols: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """So many bytes of output, which would come next, are kept no more; it goes on at `offset`."""

    size_bytes: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The shell has ended; -1 where nobody knows how, because its engine or container has gone."""

    exit_code: int


Sight = bytes | Size | Gone | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which terminal of the container somebody wants to see, and from where on.

    `session` is one that is there; without it a new one is opened, unless `name` is that of a living one.
    Without an offset everything comes that is still kept.
    """

    container: str
    session: str | None = None
    name: str | None = None
    offset: int | None = None
    size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A living terminal in a list. `started_at` is in seconds since 1970, `left_seconds` since nobody looks at it."""

    session: str
    name: str | None
    size: Size
    viewers: int
    started_at: float
    left_seconds: float | None


class SessionLost(NotFound):
    """The process that held the terminal has died, and the shell was hung up."""

    def __init__(self, session: str) -> None:
        super().__init__("session_lost", "The terminal was lost on its node; open a new one.", session=session)


class SessionUnknown(NotFound):
    def __init__(self, session: str) -> None:
        super().__init__("terminal_not_found", "That terminal has ended; open a new one.", session=session)


class Viewing(Protocol):
    """One look at a terminal. Output comes from `offset` on. One task calls `next`, any may do the rest."""

    session: str
    offset: int

    async def next(self) -> Sight:
        """What comes next; after Ended nothing does. A `Size` is told where it is not the one that this viewer has.

        May be cancelled without losing anything. Raises SessionLost.
        """

    async def write(self, data: bytes) -> None:
        """Type, as fast as the shell reads; ignored after its end."""

    async def resize(self, size: Size, *, takes: bool) -> None:
        """Say how much this viewer can show. The smallest of all holds, until one takes it upon itself to say."""

    async def aclose(self) -> None:
        """Look away; the shell goes on. Repeating is harmless."""


class TerminalHolder(Protocol):
    async def run(self) -> None:
        """Own the work behind it, until cancelled."""

    async def enter(self, wish: Wish) -> Viewing:
        """Raises SessionUnknown, SessionLost, QuotaExceeded `too_many_terminals`, Unavailable `holder_away`, and for a
        new terminal what `ContainerRuntime.exec` raises."""

    async def list(self, container: str) -> Sequence[SessionView]:
        """The container's living terminals, oldest first. Raises Unavailable `holder_away`."""

    async def end(self, container: str, session: str) -> None:
        """Hang the shell up. Raises SessionUnknown, Unavailable `holder_away`."""


class Shell(Protocol):
    """A shell under way in a pseudo-terminal. What goes wrong with its engine is a SpuntoError."""

    async def read(self) -> bytes | None:
        """The next output, at most 64 KiB; None at the end."""

    async def write(self, data: bytes) -> None: ...

    async def resize(self, *, cols: int, rows: int) -> None: ...

    async def exit_code(self) -> int:
        """Valid after `read` gave None."""

    async def aclose(self) -> None:
        """Hang it up, if it has not ended. Repeating is harmless."""
