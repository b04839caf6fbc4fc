"""Who holds connections, and who has to go when there are no more to be had."""

import resource
from collections import Counter
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

    def __init__(
        self,
        capacity: int,
        *,
        monotonic: Callable[[], float],
        each_at_most: Callable[[str], int] | None = None,
    ) -> None:
        """`each_at_most` says how many an address may hold; no limit where it is None."""
        self._capacity = capacity
        self._each_at_most = each_at_most
        self._guests: dict[Guest, None] = {}
        self._held: Counter[str] = Counter()
        self._seldom = Seldom(monotonic=monotonic)

    def __len__(self) -> int:
        return len(self._guests)

    @contextmanager
    def entered(self, guest: Guest) -> Iterator[bool]:
        """False for whoever can't be let in."""
        address = guest.address
        if not self._has_room(address):
            yield False
            return
        self._guests[guest] = None
        self._held[address] += 1
        try:
            yield True
        finally:
            self._forget(guest, address)

    def _forget(self, guest: Guest, address: str) -> None:
        if guest not in self._guests:
            return
        del self._guests[guest]
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]

    def _has_room(self, address: str) -> bool:
        if len(self._guests) >= self._capacity:
            return self._made_room(self._longest_idle())
        if self._each_at_most is None or self._held[address] < self._each_at_most(address):
            return True
        its_own = [guest for guest in self._guests if guest.awaits_client and guest.address == address]
        return self._made_room(its_own[: max(1, self._held[address] // _SHARE)])

    def _made_room(self, going: list[Guest]) -> bool:
        for guest in going:
            self._forget(guest, guest.address)
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


def connections_at_most(*, descriptors_each: int = 1) -> int:
    """As many as the system allows, less a reserve. It takes what the system allows if only asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS * descriptors_each + MIN_RESERVE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, (soft - max(MIN_RESERVE, soft // 8)) // descriptors_each))
