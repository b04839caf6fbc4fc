"""What an ID token must say before somebody is let in (OpenID Connect Core, 3.1.3.7)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from spunto.core.kernel.errors import Forbidden, Unauthenticated
from spunto.core.kernel.names import made_fit
from spunto.core.orgs.invitation import folded

CLOCK_SKEW: Final = timedelta(seconds=30)
# It was issued for this very sign-in, so an old one is somebody else's.
OLDEST: Final = timedelta(minutes=10)
_LATEST: Final = 253402300799
MAX_SUBJECT: Final = 255
MAX_EMAIL: Final = 254
_NAMELESS: Final = "Somebody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Of whom, for whom and for which sign-in the token has to be."""

    issuer: str
    client_id: str
    nonce: str
    hosted_domain: str | None
    trusts_unsaid_email: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A person as the provider vouches for them. Who it is, issuer and subject say; the e-mail address may change."""

    issuer: str
    subject: str
    email: str
    name: str


def profile_of(claims: Mapping[str, Any], expected: Expected, *, now: datetime) -> Profile:
    """The person behind claims whose signature was checked.

    Raises Unauthenticated `identity_not_good`, Forbidden `email_missing`, `email_not_verified`,
    `email_verification_unsaid` or `domain_not_allowed`.
    """
    _require_for_us(claims, expected)
    _require_fresh(claims, now)
    subject = _text(claims, "sub", max_characters=MAX_SUBJECT)
    email = _email_of(claims, expected)
    if expected.hosted_domain is not None and claims.get("hd") != expected.hosted_domain:
        raise Forbidden("domain_not_allowed", f"Only accounts of {expected.hosted_domain} may sign in here.")
    name = person_name(claims.get("name"), email=email)
    return Profile(issuer=expected.issuer, subject=subject, email=email, name=name)


def _require_for_us(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise _not_good("iss")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise _not_good("aud")
    # A token for several clients says which of them it was issued to.
    if claims.get("azp", None if len(audiences) > 1 else expected.client_id) != expected.client_id:
        raise _not_good("azp")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise _not_good("nonce")


def _require_fresh(claims: Mapping[str, Any], now: datetime) -> None:
    seconds, skew = now.timestamp(), CLOCK_SKEW.total_seconds()
    if seconds >= _time(claims, "exp") + skew:
        raise _not_good("exp")
    if not seconds - OLDEST.total_seconds() <= _time(claims, "iat") <= seconds + skew:
        raise _not_good("iat")
    if "nbf" in claims and _time(claims, "nbf") > seconds + skew:
        raise _not_good("nbf")


def _email_of(claims: Mapping[str, Any], expected: Expected) -> str:
    """In lower case, so that one address is not two users."""
    if claims.get("email") is None:
        raise Forbidden(
            "email_missing", "The provider tells no e-mail address of this account; it needs one, and leave to tell it."
        )
    if claims.get("email_verified") is None:
        if not expected.trusts_unsaid_email:
            raise Forbidden(
                "email_verification_unsaid",
                "The provider does not say whether it has verified the e-mail address of this account. Whoever runs "
                "this server may trust its addresses all the same, by SPUNTO_OIDC_TRUST_UNSAID_EMAIL.",
            )
    # Some providers write "true"; whoever is not exact about this may not be so about the checking either.
    elif claims["email_verified"] is not True:
        raise Forbidden(
            "email_not_verified",
            "The provider says that the e-mail address of this account is not verified; verify it there.",
        )
    email = folded(_text(claims, "email", max_characters=MAX_EMAIL))
    local, _, domain = email.rpartition("@")
    if not local or not domain or " " in email:
        raise _not_good("email")
    return email


def person_name(said: object, *, email: str) -> str:
    """What others call somebody: made fit rather than refused, since whoever said it can't be asked for another."""
    name = said if isinstance(said, str) else ""
    return made_fit(name) or made_fit(email) or _NAMELESS


def _text(claims: Mapping[str, Any], name: str, *, max_characters: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= max_characters or not value.isprintable():
        raise _not_good(name)
    return value


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # Python reads NaN and numbers of any size from JSON; neither is a moment.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LATEST:
        raise _not_good(name)
    return value


def _not_good(claim: str) -> Unauthenticated:
    return Unauthenticated(
        "identity_not_good",
        f"The provider's ID token is not good for this sign-in ({claim}); begin again.",
        claim=claim,
    )
