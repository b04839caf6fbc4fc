"""Signing in at an OpenID Connect provider: to it and back, and who comes back for the first time becomes a user."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from spunto.core.access.model import UserId
from spunto.core.access.sessions import Opened, new_session, replace_session
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Forbidden, Malformed, NotFound, Unauthenticated
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.orgs.bootstrap import EMAIL
from spunto.core.orgs.claims import Expected, Profile, profile_of
from spunto.core.orgs.flow import Flow, new_flow
from spunto.core.orgs.invitation import folded
from spunto.core.orgs.model import Identity, User
from spunto.core.orgs.ports import IdentityProvider, OrgsTransaction
from spunto.core.orgs.sessions import Way, record_begin

_NO_PROVIDER = (
    "No sign-in provider is set up here (SPUNTO_OIDC_CLIENT_ID). The owner signs in by the address that "
    "`spunto db sign-in-link` prints on the server's machine."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where to send the browser, and what it has to bring back."""

    url: str
    flow: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What the browser brings back from the provider. `issuer` is there where the provider says it (RFC 9207)."""

    state: str
    code: Secret | None
    error: str | None
    issuer: str | None


class SignInService:
    """Without a provider nobody signs in this way."""

    def __init__(
        self,
        uow: UnitOfWork[OrgsTransaction],
        *,
        provider: IdentityProvider | None,
        owner_email: str | None = None,
        auditor: Auditor,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`owner_email` is the operator's word that whoever signs in with it first is the first owner."""
        self._uow = uow
        self._owner_email = owner_email
        self._provider = provider
        self._clock = clock
        self._ids = ids
        self._auditor = auditor

    @property
    def is_on(self) -> bool:
        return self._provider is not None

    async def begin(self, next_path: str, *, redirect_uri: str) -> Begun:
        """Raises NotFound `sign_in_off`, Unavailable `provider_unavailable`."""
        provider = self._require_provider()
        flow = new_flow(next_path, self._clock.now())
        url = await provider.authorization_url(
            state=flow.state, nonce=flow.nonce, challenge=flow.challenge, redirect_uri=redirect_uri
        )
        return Begun(url=url, flow=flow)

    async def finish(
        self,
        flow: Flow | None,
        callback: Callback,
        *,
        redirect_uri: str,
        replacing: Secret | None,
        request_id: str = "",
    ) -> Opened:
        """A new session for whoever the provider vouches for; the one that the same browser had ends.

        Raises Malformed `sign_in_not_begun`, Unauthenticated `sign_in_refused` or `identity_not_good`, Forbidden
        `sign_in_cancelled`, `email_missing`, `email_not_verified`, `email_verification_unsaid` or `domain_not_allowed`,
        Conflict `email_taken`, Unavailable.
        """
        provider = self._require_provider()
        if flow is None or not flow.answers(callback.state, self._clock.now()):
            raise Malformed(
                "sign_in_not_begun", "This sign-in was begun in another browser, or too long ago; begin again."
            )
        code = _code_of(callback, provider)
        claims = await provider.claims(code, verifier=flow.verifier, redirect_uri=redirect_uri)
        return await self._open(self._profile(claims, flow, provider), replacing, request_id)

    def _profile(self, claims: Mapping[str, Any], flow: Flow, provider: IdentityProvider) -> Profile:
        expected = Expected(
            issuer=provider.issuer,
            client_id=provider.client_id,
            nonce=flow.nonce,
            hosted_domain=provider.hosted_domain,
            trusts_unsaid_email=provider.trusts_unsaid_email,
        )
        return profile_of(claims, expected, now=self._clock.now())

    @retried
    async def _open(self, profile: Profile, replacing: Secret | None, request_id: str) -> Opened:
        now = self._clock.now()
        async with self._uow() as tx:
            user_id = await tx.identities.find(issuer=profile.issuer, subject=profile.subject)
            if user_id is None:
                user_id = await self._add_user(tx, profile)
            opened = new_session(user_id, now=now, ids=self._ids)
            await replace_session(tx, opened, replacing, now=now)
            await record_begin(tx, self._auditor, opened.session, Way.PROVIDER, request_id=request_id)
            await tx.commit()
        return opened

    async def _add_user(self, tx: OrgsTransaction, profile: Profile) -> UserId:
        """Never joined to a user of the same e-mail address: whoever has it now need not be who had it then."""
        owner = await self._owner_to_be(tx, profile)
        now = self._clock.now()
        user_id = UserId(self._ids.new("usr")) if owner is None else owner.id
        # First, because here a lost race starts again, and then finds the user whom the other one made.
        await tx.identities.add(
            Identity(issuer=profile.issuer, subject=profile.subject, user_id=user_id, created_at=now)
        )
        if owner is None:
            await tx.members.add_user(User(id=user_id, name=profile.name, email=profile.email, created_at=now))
        else:
            await tx.members.update_user(replace(owner, name=profile.name, email=profile.email))
        return user_id

    async def _owner_to_be(self, tx: OrgsTransaction, profile: Profile) -> User | None:
        """The first owner as the bootstrap made them, while nobody has signed in as them, for who is named to be it."""
        if self._owner_email is None or folded(profile.email) != folded(self._owner_email):
            return None
        return await tx.members.find_user_by_email(EMAIL)

    def _require_provider(self) -> IdentityProvider:
        if self._provider is None:
            raise NotFound("sign_in_off", _NO_PROVIDER)
        return self._provider


def _code_of(callback: Callback, provider: IdentityProvider) -> Secret:
    if callback.issuer is not None and callback.issuer != provider.issuer:
        raise Unauthenticated("sign_in_refused", "The answer came from another provider than the one asked.")
    if callback.error == "access_denied":
        raise Forbidden("sign_in_cancelled", "The sign-in was cancelled, or the provider does not let you in here.")
    if callback.error is not None or callback.code is None:
        raise Unauthenticated("sign_in_refused", "The provider refused the sign-in.", providerError=callback.error)
    return callback.code
