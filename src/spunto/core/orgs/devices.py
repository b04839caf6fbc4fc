"""Terminals that want to be signed in (RFC 8628): what they ask, what a person decides, and how often they may look.

OAuth answers each refusal to a terminal by 400, whatever its reason.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from spunto.core.access.model import UserId
from spunto.core.access.sessions import hash_of
from spunto.core.kernel.errors import Malformed, SpuntoError
from spunto.core.kernel.secret import Secret

DEVICE_LIFETIME: Final = timedelta(minutes=10)
INTERVAL_SECONDS: Final = 5
SLOWER_SECONDS: Final = 5
# Without vowels, so that no word comes out, and without what is easily taken for another character.
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
_HALF: Final = 4


class DeviceState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """Both codes are kept as hashes only. `client_name` and `address` are for the person who decides."""

    device_hash: bytes = field(repr=False)
    user_code_hash: bytes = field(repr=False)
    client_name: str
    address: str
    created_at: datetime
    expires_at: datetime
    interval_seconds: int = INTERVAL_SECONDS
    polled_at: datetime | None = None
    state: DeviceState = DeviceState.PENDING
    user_id: UserId | None = None

    def is_open(self, now: datetime) -> bool:
        return self.state is DeviceState.PENDING and now < self.expires_at

    def came_too_soon(self, now: datetime) -> bool:
        return self.polled_at is not None and now < self.polled_at + timedelta(seconds=self.interval_seconds)

    def refusal(self, now: datetime) -> SpuntoError | None:
        """Why nobody will be signed in by it any more; None while somebody may."""
        if now >= self.expires_at:
            return expired()
        if self.state is DeviceState.DENIED:
            return Malformed("access_denied", "The sign-in was denied.")
        return None


def new_user_code() -> str:
    """As it is shown: two groups of four letters, 34 random bits."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(2 * _HALF))
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def user_code_hash(typed: str) -> bytes:
    """Of a code as a person may type it: in any case, with or without the dash."""
    letters = "".join(letter for letter in typed.upper() if letter in _ALPHABET)
    return hash_of(Secret(f"user-code {letters}"))


def expired() -> Malformed:
    return Malformed("expired_token", "This sign-in is over: it was used, or took too long; begin again.")


def pending(interval_seconds: int) -> Malformed:
    return Malformed("authorization_pending", "Nobody has decided on it yet; ask again.", interval=interval_seconds)


def slow_down(interval_seconds: int) -> Malformed:
    return Malformed("slow_down", "That was too soon; wait longer between two tries.", interval=interval_seconds)
