"""The pass that a browser carries for one worker host: signed, short-lived, and good for that host alone."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

PASS_SECONDS: Final = 15 * 60

_VERSION: Final = "1"
_ID: Final = r"[0-7][0-9a-hjkmnp-tv-z]{25}"
_SHAPE: Final = re.compile(
    rf"(1\.([0-9]{{1,11}})\.((?:ses|lnk)_{_ID})\.([a-z]{{3}}_{_ID}))\.([A-Za-z0-9_-]{{43}})\Z", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """`by` is the session or link that it was given for; `subject` the id of what it leads to; `host` has no port.

    It expires at a whole second; parts of one are dropped.
    """

    by: str
    subject: str
    host: str
    expires_at: datetime

    @property
    def is_of_link(self) -> bool:
        return self.by.startswith("lnk_")


def sign(key: bytes, given: Pass) -> str:
    """The pass as a cookie's value. Its host is sealed, not told: whoever reads it knows at which host it stands."""
    told = f"{_VERSION}.{int(given.expires_at.timestamp())}.{given.by}.{given.subject}"
    return f"{told}.{_seal(key, told, given.host)}"


def read(key: bytes, text: str, *, host: str, now: datetime) -> Pass | None:
    """None unless it was signed with this key for this host, and has not expired."""
    match = _SHAPE.match(text)
    if match is None:
        return None
    told, expires, by, subject, seal = match.groups()
    if not hmac.compare_digest(seal, _seal(key, told, host)) or int(expires) <= now.timestamp():
        return None
    return Pass(by=by, subject=subject, host=host, expires_at=datetime.fromtimestamp(int(expires), UTC))


def _seal(key: bytes, told: str, host: str) -> str:
    digest = hmac.digest(key, f"spunto pass\n{told}\n{host}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
