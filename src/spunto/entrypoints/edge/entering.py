"""How a browser gets into a worker's host: sent to sign in, let in by a code or a link, and kept in by a pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Forbidden, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import Redeem, Redeemed
from spunto.core.routes.passes import PASS_SECONDS, Pass, sign
from spunto.entrypoints.edge import exchange
from spunto.entrypoints.edge.answers import redirect
from spunto.entrypoints.edge.credentials import passes_of
from spunto.entrypoints.edge.exchange import CookieNames
from spunto.entrypoints.edge.failures import Failures
from spunto.entrypoints.edge.grants import link_ended
from spunto.entrypoints.edge.nonces import Nonces
from spunto.entrypoints.edge.seams import Answer, Headers
from spunto.entrypoints.edge.server_link import ServerAway, ServerLink

# A pass is made anew well before it ends, by whatever answer goes by.
_RENEW_SECONDS: Final = PASS_SECONDS - 5 * 60
# So long after its end whoever came by a link is told that it was one.
_REMEMBERED: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """At one host; `client` tells the address that asks, `app_url` where people sign in, and the first of the `keys`
    signs passes."""

    link: ServerLink
    failures: Failures
    clock: Clock
    host: str
    client: Callable[[], str]
    names: CookieNames
    app_url: str
    keys: Sequence[bytes]

    def to_sign_in(self, headers: Headers, target: str) -> Answer:
        """A person says who they are, and comes back to the target."""
        nonce = self._nonces.to_give(headers)
        there = exchange.sign_in_url(self.app_url, host=self.host, nonce=nonce, target=target)
        return redirect(there, headers=[(b"set-cookie", self.names.set_nonce(nonce))])

    async def by_code(self, code: Secret, headers: Headers, target: str, *, nonce_hash: str) -> Answer:
        """`nonce_hash` is of the nonce that the code was made for.

        Raises ServerAway, QuotaExceeded, Forbidden `code_not_good`.
        """
        nonce = self._nonces.of_code(headers, nonce_hash)
        if nonce is None:
            raise Forbidden(
                "code_not_good",
                "Signing in took too long, was begun elsewhere, or cookies are off; open the address again.",
            )
        return await self._let_in(Redeem(host=self.host, code=code, nonce=Secret(nonce)), code, target)

    async def by_link(self, token: Secret, target: str) -> Answer:
        """Raises ServerAway, QuotaExceeded, Forbidden `link_not_good`."""
        return await self._let_in(Redeem(host=self.host, link=token), token, target)

    def require_no_ended_link(self, headers: Headers) -> None:
        """Raises Forbidden `link_not_good` for who came by a link that has ended since: signing in is no way for
        whoever has no account."""
        then = self.clock.now() - _REMEMBERED
        passes = passes_of(headers, self.names, keys=self.keys, host=self.host, now=then)
        if any(each.is_of_link for each in passes):
            raise link_ended()

    def renewed(self, shown: Pass | None) -> bytes | None:
        """A new cookie where the pass is not young any more; whoever renews it was granted just now."""
        if shown is None or shown.is_of_link:
            return None
        left = (shown.expires_at - self.clock.now()).total_seconds()
        return None if left > _RENEW_SECONDS else self._cookie(shown.by, shown.subject, until=None)

    @property
    def _nonces(self) -> Nonces:
        return Nonces(names=self.names, keys=self.keys, host=self.host, client=self.client(), now=self.clock.now())

    async def _let_in(self, question: Redeem, credential: Secret, target: str) -> Answer:
        address = self.client()
        self.failures.require_patience(address, credential)
        try:
            redeemed = await self.link.ask(question, Redeemed)
        except ServerAway:
            raise
        except Unavailable as error:
            self.failures.note(address)
            raise Forbidden(error.code, error.message) from error
        given = self._cookie(redeemed.by, redeemed.subject_id, until=redeemed.expires_at)
        cookies = [(b"set-cookie", given), (b"set-cookie", self.names.drop_nonce())]
        return redirect(exchange.safe_next(target), status=HTTPStatus.SEE_OTHER, headers=cookies)

    def _cookie(self, by: str, subject: str, *, until: datetime | None) -> bytes:
        """Of a link until that ends, since whoever has it can't come back by themselves as a sign-in does."""
        now = self.clock.now()
        ends = now + timedelta(seconds=PASS_SECONDS) if until is None else until
        given = Pass(by=by, subject=subject, host=self.host, expires_at=ends)
        kept = ends - now + (_REMEMBERED if given.is_of_link else timedelta())
        return self.names.set_access(sign(self.keys[0], given), seconds=int(kept.total_seconds()))
