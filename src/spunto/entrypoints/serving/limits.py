"""How often a credential, an address, a person or an organization may ask; beyond that the doors answer 429."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Final

from werkzeug.datastructures import Headers

from spunto.core.access.model import Actor
from spunto.core.kernel.buckets import Buckets, Level, Rate
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import QuotaExceeded, Unauthenticated
from spunto.entrypoints.serving.addresses import ClientAddresses
from spunto.entrypoints.serving.security import Doorkeeper

MAX_KNOWN_CREDENTIALS: Final = 10_000


class Limit(StrEnum):
    """What is counted, and by whom or what."""

    API = "api"
    """Requests, by credential."""
    ADDRESS = "address"
    """Requests without a credential, by address."""
    SIGN_IN = "sign_in"
    """Steps of a sign-in, by address."""
    FAILURE = "failure"
    """Credentials that were not good, by address."""
    CONNECT = "connect"
    """Agents that dial, by address: a thousand of one network have to be back soon after a restart."""
    SPAWN = "spawn"
    """New workers, by organization."""
    ENTER = "enter"
    """Commands and terminals, by credential."""
    INVITE = "invite"
    """Invitations, by organization."""


DEFAULT_RATES: Final = {
    Limit.API: Rate(per_second=20, burst=100),
    Limit.ADDRESS: Rate(per_second=20, burst=60),
    Limit.SIGN_IN: Rate(per_second=10 / 60, burst=10),
    Limit.FAILURE: Rate(per_second=20 / 60, burst=20),
    Limit.CONNECT: Rate(per_second=50, burst=2000),
    Limit.SPAWN: Rate(per_second=1, burst=60),
    Limit.ENTER: Rate(per_second=20, burst=100),
    Limit.INVITE: Rate(per_second=20 / 3600, burst=20),
}


class Limits:
    """The buckets of this process. What has no rate is not limited."""

    def __init__(self, rates: Mapping[Limit, Rate], *, clock: Clock) -> None:
        self._clock = clock
        self._buckets = {limit: Buckets(rate) for limit, rate in rates.items()}

    def note(self, limit: Limit, key: str) -> None:
        """Count one, whether there is one left or not."""
        with suppress(QuotaExceeded):
            self.take(limit, key)

    def take(self, limit: Limit, key: str) -> None:
        """Count one. Raises QuotaExceeded `rate_limited`."""
        buckets = self._buckets.get(limit)
        if buckets is not None:
            _refuse_unless_now(limit, buckets.take(key, now=self._clock.monotonic()), burst=buckets.rate.burst)

    def level(self, limit: Limit, key: str) -> Level | None:
        """What is left of it, and nothing is counted; None for what is not limited."""
        buckets = self._buckets.get(limit)
        return None if buckets is None else buckets.level(key, now=self._clock.monotonic())

    def require_left(self, limit: Limit, key: str) -> None:
        """Raises as `take` would, and counts nothing."""
        buckets = self._buckets.get(limit)
        if buckets is not None and len(buckets):
            wait_seconds = buckets.wait_seconds(key, now=self._clock.monotonic())
            _refuse_unless_now(limit, wait_seconds, burst=buckets.rate.burst)


class Gate:
    """The doorkeeper, who is not asked too often: neither by a credential, nor for bad ones by an address.

    A credential that was good lately is let through to the doorkeeper whatever its neighbours behind the same address
    do; otherwise one broken script would lock a whole office out.
    """

    def __init__(self, doorkeeper: Doorkeeper, limits: Limits, clients: ClientAddresses) -> None:
        self.doorkeeper = doorkeeper
        self.limits = limits
        self.clients = clients
        self._known: dict[int, None] = {}

    async def admit(self, headers: Headers, *, method: str, request_id: str, peer: str | None) -> Actor:
        """As the doorkeeper's; also raises QuotaExceeded."""
        with self._watched(headers, peer):
            actor = await self.doorkeeper.admit(headers, method=method, request_id=request_id)
        self.limits.take(Limit.API, actor.credential_id)
        return actor

    async def admit_socket(self, headers: Headers, *, request_id: str, peer: str | None) -> Actor:
        """As the doorkeeper's; also raises QuotaExceeded."""
        with self._watched(headers, peer):
            actor = await self.doorkeeper.admit_socket(headers, request_id=request_id)
        self.limits.take(Limit.API, actor.credential_id)
        return actor

    def take(self, limit: Limit, headers: Headers, peer: str | None) -> None:
        """Count one of the address. Raises QuotaExceeded."""
        self.limits.take(limit, self.clients.of(peer, headers))

    def require_patience(self, credential: str | None, headers: Headers, peer: str | None) -> None:
        """Raises QuotaExceeded for a credential that is not known from an address that showed too many bad ones."""
        if hash(credential) not in self._known:
            self.limits.require_left(Limit.FAILURE, self.clients.of(peer, headers))

    def remember(self, credential: str | None) -> None:
        """Note that it was good."""
        # Its hash stands for it as long as this process lives, and is of no use to anybody.
        known = hash(credential)
        if known in self._known:
            return
        if len(self._known) >= MAX_KNOWN_CREDENTIALS:
            del self._known[next(iter(self._known))]
        self._known[known] = None

    @contextmanager
    def _watched(self, headers: Headers, peer: str | None) -> Iterator[None]:
        credential = headers.get("Authorization") or headers.get("Cookie")
        self.require_patience(credential, headers, peer)
        try:
            yield
        except Unauthenticated as error:
            # One too many is told so in place of the refusal.
            self.take(Limit.ADDRESS if error.code == "credential_missing" else Limit.FAILURE, headers, peer)
            raise
        self.remember(credential)


def _refuse_unless_now(limit: Limit, wait_seconds: float, *, burst: int) -> None:
    if wait_seconds > 0:
        raise QuotaExceeded(
            "rate_limited",
            "That was too often; wait as long as the header Retry-After says.",
            retry_after_seconds=wait_seconds,
            limit=limit.value,
            burst=burst,
        )
