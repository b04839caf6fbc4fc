"""Recognises credentials: tokens in, actors out, remembered for a second."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from spunto.core.access.api_keys import USED_EVERY, ApiKey, parsed
from spunto.core.access.key_uses import KeyUses
from spunto.core.access.model import Actor, ActorKind, OrgId, Session, SessionId, UserId
from spunto.core.access.policy import Role
from spunto.core.access.ports import AccessTransaction
from spunto.core.access.sessions import hash_of, note_seen
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork

# A revocation by another process is noticed this late at the most; by this one at once.
CACHE_SECONDS: Final = 1.0
# After this one of those who ask looks up ahead; at the end of the second all of them would, in the same moment.
RENEW_SECONDS: Final = 0.8
CACHE_ENTRIES: Final = 10_000

Credential: TypeAlias = Session | ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    renew_at: float
    until: float
    credential: Credential
    actor: Actor


class Recognition:
    """One memory for all kinds of tokens."""

    def __init__(self, uow: UnitOfWork[AccessTransaction], *, clock: Clock, uses: KeyUses) -> None:
        self._uow = uow
        self._clock = clock
        self._uses = uses
        self._known: dict[bytes, _Known] = {}
        self._age = 0

    def forget(self) -> None:
        """Look everybody up again, also those who are being looked up just now."""
        self._known.clear()
        self._age += 1

    async def actor_of(self, token: Secret) -> Actor:
        """Raises Unauthenticated for anything that is not good now."""
        token_hash = hash_of(token)
        known, now = self._known.get(token_hash), self._clock.monotonic()
        if known is None or known.until <= now or not known.credential.is_good(self._clock.now()):
            known = await self._look_up(token, token_hash)
        elif known.renew_at <= now:
            self._known[token_hash] = replace(known, renew_at=known.until)
            known = await self._look_up(token, token_hash)
        return known.actor

    async def changed(self, actors: Collection[Actor]) -> Sequence[Actor]:
        """Those whose credential is not good any more, or whose owner has other roles than they came with.

        Whatever was remembered of anybody is forgotten then.
        """
        async with self._uow.reading() as tx:
            sessions = await tx.sessions.find_all(
                {SessionId(actor.credential_id) for actor in actors if actor.api_key_id is None}
            )
            keys = await tx.api_keys.find_all({actor.api_key_id for actor in actors if actor.api_key_id is not None})
            live = await self._actors(tx, [*sessions, *keys])
        gone = [actor for actor in actors if live.get(actor.credential_id) != replace(actor, request_id="")]
        if gone:
            self.forget()
        return gone

    async def _look_up(self, token: Secret, token_hash: bytes) -> _Known:
        # The second begins before the database is asked: what is revoked while the answer is under way is not in it.
        age, begun = self._age, self._clock.monotonic()
        async with self._uow.reading() as tx:
            credential, actor = await self._find(tx, token, token_hash)
        if credential is None or actor is None or not credential.is_good(self._clock.now()):
            self._known.pop(token_hash, None)
            raise Unauthenticated("credential_not_good", "The token is unknown, expired or revoked; sign in again.")
        known = _Known(
            renew_at=begun + RENEW_SECONDS,
            until=begun + CACHE_SECONDS,
            credential=await self._used(credential),
            actor=actor,
        )
        if age == self._age:
            self._remember(token_hash, known)
        return known

    def _remember(self, token_hash: bytes, known: _Known) -> None:
        if len(self._known) >= CACHE_ENTRIES:
            self._known.clear()
        self._known[token_hash] = known

    async def _find(
        self, tx: AccessTransaction, token: Secret, token_hash: bytes
    ) -> tuple[Credential, Actor | None] | tuple[None, None]:
        """The credential with whoever is behind it, whether or not it is good now."""
        if not token.reveal().startswith("spk_"):
            found = await tx.grants.find_session(token_hash)
            return (None, None) if found is None else (found.session, person_of(found.session, found.roles))
        taken_apart = parsed(token)
        held = None if taken_apart is None else await tx.grants.find_key(taken_apart.kid)
        if taken_apart is None or not taken_apart.proves(None if held is None else held.key) or held is None:
            return None, None
        return held.key, held.key.acting_as(held.role)

    async def _actors(self, tx: AccessTransaction, credentials: Collection[Credential]) -> Mapping[str, Actor]:
        """Who is behind the credentials that are good now, by the credential's id."""
        now = self._clock.now()
        good = [credential for credential in credentials if credential.is_good(now)]
        roles = await tx.grants.roles_of_all({each.user_id for each in good if each.user_id is not None})
        owners = {each.org_id for each in good if isinstance(each, ApiKey) and each.user_id is None}
        organizations = await tx.grants.organizations_among(owners) if owners else frozenset()
        found = ((each.id, _actor(each, roles, organizations)) for each in good)
        return {credential_id: actor for credential_id, actor in found if actor is not None}

    async def _used(self, credential: Credential) -> Credential:
        """The credential as used now, written down where the last use is a while ago."""
        now = self._clock.now()
        if isinstance(credential, ApiKey):
            if credential.last_used_at is None or now >= credential.last_used_at + USED_EVERY:
                self._uses.note(credential.id, at=now)
            return credential
        (seen,) = await note_seen(self._uow, [credential], now=now)
        return seen


def _actor(
    credential: Credential, roles: Mapping[UserId, Mapping[OrgId, Role]], organizations: Collection[OrgId]
) -> Actor | None:
    if isinstance(credential, ApiKey):
        if credential.user_id is None:
            return credential.acting_as(Role.ADMIN if credential.org_id in organizations else None)
        return credential.acting_as(roles[credential.user_id].get(credential.org_id))
    return person_of(credential, roles[credential.user_id])


def person_of(session: Session, roles: Mapping[OrgId, Role]) -> Actor:
    """Who is behind a session that is good, by the roles that they have now."""
    return Actor(
        kind=ActorKind.USER,
        user_id=session.user_id,
        credential_id=session.id,
        roles=roles,
        expires_at=session.expires_at,
    )
