"""The sign-in provider that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from spunto.core.kernel.clock import SystemClock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.loopback import is_loopback
from spunto.core.orgs.ports import IdentityProvider
from spunto.entrypoints.serving.secret_settings import secret_of
from spunto.entrypoints.serving.settings import Settings


@asynccontextmanager
async def identity_provider(settings: Settings) -> AsyncIterator[IdentityProvider | None]:
    """None where no client id is set. Raises Invalid for settings that can't work; asks the provider nothing yet."""
    if settings.oidc_client_id is None:
        yield None
        return
    issuer = settings.oidc_issuer
    secret = secret_of(
        settings.oidc_client_secret, settings.oidc_client_secret_file, setting="SPUNTO_OIDC_CLIENT_SECRET"
    )
    _require_private(issuer)
    # Half of what a start takes, and only needed here.
    import httpx

    from spunto.adapters.oidc.provider import OidcProvider

    async with httpx.AsyncClient() as http:
        yield OidcProvider(
            http,
            issuer=issuer,
            client_id=settings.oidc_client_id,
            client_secret=secret,
            hosted_domain=settings.oidc_hosted_domain,
            trusts_unsaid_email=settings.oidc_trust_unsaid_email,
            clock=SystemClock(),
        )


def _require_private(issuer: str) -> None:
    """Who can change the issuer's answers can be anybody here, so they come by https, or from this machine."""
    address = urlsplit(issuer)
    if not address.hostname or address.query or address.fragment:
        raise Invalid("invalid_settings", "SPUNTO_OIDC_ISSUER is no issuer, such as https://accounts.google.com")
    if address.scheme != "https" and not (address.scheme == "http" and is_loopback(address.hostname or "")):
        raise Invalid("invalid_settings", "SPUNTO_OIDC_ISSUER must be https; http only on this machine")
