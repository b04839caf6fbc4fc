"""Who holds connections, and who has to go when there are no more to be had."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import structlog

from spunto.entrypoints.serving.logs import Seldom

MAX_CONNECTIONS: Final = 10_000
# For the database, its files, engines, mail, webhooks, other servers and what a process opens by itself.
MIN_RESERVE: Final = 96
_SHARE: Final = 16

log = structlog.get_logger()


class Guest(Protocol):
    @property
    def address(self) -> str: ...

    @property
    def awaits_client(self) -> bool:
        """Whether it holds its connection without having asked for anything yet."""

    def leave(self) -> None:
        """End at once, without a word."""


class Crowd:
    """The open connections of a listener, bounded below what the system lets a process open.

    While there is room nobody is sent away, so that a thousand agents behind one address are welcome. When it is full,
    the address with the most connections on which nothing was asked loses the oldest of them; where everybody is being
    served, the newcomer is not.
    """

    def __init__(self, capacity: int, *, monotonic: Callable[[], float]) -> None:
        self._capacity = capacity
        self._guests: dict[Guest, None] = {}
        self._seldom = Seldom(monotonic=monotonic)

    def __len__(self) -> int:
        return len(self._guests)

    @contextmanager
    def entered(self, guest: Guest) -> Iterator[bool]:
        """False for whoever can't be let in."""
        if not self._has_room():
            yield False
            return
        self._guests[guest] = None
        try:
            yield True
        finally:
            self._guests.pop(guest, None)

    def _has_room(self) -> bool:
        if len(self._guests) < self._capacity:
            return True
        going = self._longest_idle()
        for guest in going:
            del self._guests[guest]
            guest.leave()
        left_out = self._seldom.left_out("connections_scarce")
        if left_out is not None:
            address = going[0].address if going else None
            log.warning(
                "connections_scarce",
                capacity=self._capacity,
                ended=len(going),
                address=address,
                lines_left_out=left_out,
            )
        return bool(going)

    def _longest_idle(self) -> list[Guest]:
        """Several at once, because to look for them takes a look at everybody."""
        waiting: dict[str, list[Guest]] = {}
        for guest in self._guests:
            if guest.awaits_client:
                waiting.setdefault(guest.address, []).append(guest)
        if not waiting:
            return []
        return max(waiting.values(), key=len)[: max(1, self._capacity // _SHARE)]


def connections_at_most() -> int:
    """As many as the system allows, less a reserve. It takes what the system allows if only asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + MIN_RESERVE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, soft - max(MIN_RESERVE, soft // 8)))
