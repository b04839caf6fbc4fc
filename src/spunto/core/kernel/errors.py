"""The errors that Spunto raises on purpose; anything else is a bug.

Every error has a stable `code` (lower_snake, listed in docs/errors.md), a sentence for people that says what to do next
where the reader can do something, and ids or figures as `fields`. Its HTTP status is the door's business.
"""

from collections.abc import Mapping
from typing import Any


class SpuntoError(Exception):
    """Root of the taxonomy: `code` for programs, `message` for people, `fields` for both."""

    def __init__(self, code: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields: Mapping[str, Any] = fields

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.message!r})"


class Malformed(SpuntoError):
    """The request can't be read at all."""


class Invalid(SpuntoError):
    """The request can be read but asks for something impossible."""


class Unauthenticated(SpuntoError):
    """No credential, or one that is not good (any more)."""


class Forbidden(SpuntoError):
    """Known and inside the organization, but not allowed to do this."""


class NotFound(SpuntoError):
    """Unknown, or in an organization that the asker does not belong to."""


class Conflict(SpuntoError):
    """The present state does not allow it, or another writer was faster."""


class StaleVersion(Conflict):
    """A row changed between reading and writing; the use case starts again."""

    def __init__(self, kind: str, subject_id: str) -> None:
        super().__init__("stale_version", f"The {kind} was changed meanwhile; try again.", id=subject_id)


class PreconditionFailed(SpuntoError):
    """The thing is not as the asker says that it saw it."""


class QuotaExceeded(SpuntoError):
    """Too much or too often."""

    def __init__(self, code: str, message: str, *, retry_after_seconds: float, **fields: Any) -> None:
        super().__init__(code, message, **fields)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(SpuntoError):
    """A node, an engine or the database can't answer now; the same request may work later."""

    def __init__(self, code: str, message: str, *, retry_after_seconds: float | None = None, **fields: Any) -> None:
        super().__init__(code, message, **fields)
        self.retry_after_seconds = retry_after_seconds
