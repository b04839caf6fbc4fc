"""The cookies that the server sets: never readable by scripts, never sent along by foreign pages' forms."""

from datetime import timedelta
from typing import Final, TypeVar

from quart import Response
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from spunto.core.access.sessions import SESSION_LIFETIME
from spunto.core.kernel.errors import Forbidden
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.serving.security import MAX_TOKEN_CHARACTERS, PublicAddress, cookies_named

A = TypeVar("A", Response, WerkzeugResponse)
_NO_LIFETIME: Final = timedelta()


def with_session(answer: A, address: PublicAddress, token: Secret) -> A:
    return with_cookie(answer, address, address.cookie_name, token.reveal(), lifetime=SESSION_LIFETIME)


def without_session(answer: A, address: PublicAddress) -> A:
    return without_cookie(answer, address, address.cookie_name)


def with_cookie(answer: A, address: PublicAddress, name: str, value: str, *, lifetime: timedelta) -> A:
    answer.set_cookie(name, value, max_age=lifetime, path="/", secure=address.is_https, httponly=True, samesite="Lax")
    return answer


def without_cookie(answer: A, address: PublicAddress, name: str) -> A:
    return with_cookie(answer, address, name, "", lifetime=_NO_LIFETIME)


def old_session_of(headers: Headers, address: PublicAddress) -> Secret | None:
    """The session that a browser comes with to a new sign-in, which ends it; None where that is not clear."""
    found = cookies_named(headers, address.cookie_name)
    return Secret(found[0]) if len(found) == 1 and len(found[0]) <= MAX_TOKEN_CHARACTERS else None


def require_cookies_are_safe(address: PublicAddress) -> None:
    """Raises Forbidden `https_required` where anybody on the way could read them."""
    if not (address.is_https or address.is_loopback):
        raise Forbidden(
            "https_required", "Signing in by browser needs https or localhost; use a token as Bearer, or set up TLS."
        )
