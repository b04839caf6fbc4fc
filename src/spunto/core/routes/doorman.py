"""Lets people and programs in to ports of subjects: by session, key or link, by a code once, and never for long."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from spunto.core.access.model import Actor, SessionId
from spunto.core.access.policy import Action
from spunto.core.access.recognition import person_of
from spunto.core.access.sessions import hash_of, note_seen
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Forbidden, NotFound, Unauthenticated
from spunto.core.kernel.ids import bare
from spunto.core.kernel.secret import Secret
from spunto.core.kernel.uow import UnitOfWork
from spunto.core.routes.asking import Access, By, ByPass, Redeem, Redeemed, Verdict, nonce_hash
from spunto.core.routes.entry import (
    Entered,
    EntryCode,
    LinkId,
    PortLink,
    denied,
    entered,
    entered_by_link,
    link_not_good,
    may_wake,
    not_found,
)
from spunto.core.routes.hosts import target_of
from spunto.core.routes.model import Route
from spunto.core.routes.ports import RoutesTransaction

CODE_LIFETIME: Final = timedelta(seconds=60)
_MAX_NOTED: Final = 4096

Recognise = Callable[[Secret], Awaitable[Actor]]
"""The actor behind a token. Raises Unauthenticated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the answers to some questions need, read in one transaction; whoever is not good now is not in it."""

    people: Mapping[str, Actor]
    links: Mapping[str, PortLink]
    routes: Mapping[str, Route]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A host, and what it leads to."""

    host: str
    port: int
    route: Route


class Doorman:
    def __init__(
        self,
        uow: UnitOfWork[RoutesTransaction],
        *,
        recognise: Recognise,
        auditor: Auditor,
        clock: Clock,
        base_domain: str,
    ) -> None:
        self._uow = uow
        self._recognise = recognise
        self._auditor = auditor
        self._clock = clock
        self._base_domain = base_domain
        self._noted: dict[tuple[str, str], None] = {}

    async def verdicts(self, asked: Sequence[Access]) -> Sequence[Verdict]:
        """One for each in its place. Nothing is remembered: what was revoked is refused at the next question."""
        known = await self._known(asked)
        return [await self._verdict(known, each) for each in asked]

    async def waker(self, subject_id: str, by: By) -> tuple[Actor, Route]:
        """Who starts which subject. Raises Unauthenticated, Forbidden `may_not_wake`, NotFound."""
        known = await self._known([Access(subject_id=subject_id, port=1, by=by)])
        route = known.routes.get(subject_id)
        actor = await self._actor(known, by)
        if route is None or route.is_gone or route.org_id not in actor.roles:
            raise not_found(subject_id)
        if not may_wake(actor, route):
            raise Forbidden("may_not_wake", "Only its owner and admins start a worker.")
        return actor, route

    async def door_at(self, host: str) -> Door:
        """What the host leads to. Raises NotFound also where it has another worker's number."""
        target = target_of(host, base_domain=self._base_domain)
        if target is None:
            raise NotFound("worker_not_found", f"No worker has the host {host[:253]!r}.", id=host[:253])
        async with self._uow.reading() as tx:
            route = await tx.routes.find(f"wkr_{target.subject}")
        if route is None or route.is_gone or route.index != target.index:
            raise not_found(f"wkr_{target.subject}")
        return Door(host=host, port=target.port, route=route)

    async def issue_code(self, actor: Actor, door: Door, *, nonce: str) -> Secret:
        """A code that this session gets in with there, once. `nonce` is the hash of what the browser keeps.

        Raises NotFound, Forbidden `not_owner`, and `session_required` for a key.
        """
        if actor.api_key_id is not None:
            raise Forbidden("session_required", "API keys can't do this; send the key to the worker's host itself.")
        await self._note(entered(actor, door.route, door.port), door.route, door.port)
        code = Secret(secrets.token_urlsafe(32))
        async with self._uow() as tx:
            await tx.entry_codes.add(
                EntryCode(
                    code_hash=hash_of(code),
                    session_id=SessionId(actor.credential_id),
                    subject_id=door.route.id,
                    host=door.host,
                    nonce_hash=nonce,
                    expires_at=self._clock.now() + CODE_LIFETIME,
                )
            )
            await tx.commit()
        return code

    async def redeem(self, asked: Redeem) -> Redeemed:
        """Raises Unauthenticated `code_not_good`, `link_not_good`."""
        if asked.code is not None and asked.nonce is not None:
            return await self._redeem_code(asked.code, asked.nonce, host=asked.host)
        return await self._redeem_link(asked.link or Secret(""), host=asked.host)

    async def _redeem_code(self, code: Secret, nonce: Secret, *, host: str) -> Redeemed:
        """A code is used up also by whoever comes with the wrong nonce, or to the wrong host."""
        async with self._uow() as tx:
            found = await tx.entry_codes.take(hash_of(code), now=self._clock.now())
            await tx.commit()
        if found is None or found.host != host or not hmac.compare_digest(found.nonce_hash, nonce_hash(nonce)):
            raise _code_not_good()
        return Redeemed(by=found.session_id, subject_id=found.subject_id)

    async def _redeem_link(self, token: Secret, *, host: str) -> Redeemed:
        target = target_of(host, base_domain=self._base_domain)
        async with self._uow.reading() as tx:
            link = await tx.links.find_by_token(hash_of(token))
            route = None if link is None else await tx.routes.find(link.subject_id)
            roles = {} if link is None else await tx.grants.roles_of(link.made_by)
        if link is None or target is None or link.org_id not in roles or target.subject != bare(link.subject_id):
            raise link_not_good()
        entered_by_link(link, route, target.port, now=self._clock.now())
        return Redeemed(by=link.id, subject_id=link.subject_id, expires_at=link.expires_at)

    async def _verdict(self, known: _Known, asked: Access) -> Verdict:
        route = known.routes.get(asked.subject_id)
        try:
            if isinstance(asked.by, ByPass) and asked.by.pass_id.startswith("lnk_"):
                link = known.links.get(asked.by.pass_id)
                return entered_by_link(link, route, asked.port, now=self._clock.now())
            actor = await self._actor(known, asked.by)
            if route is None:
                raise not_found(asked.subject_id)
            result = entered(actor, route, asked.port)
        except (Unauthenticated, Forbidden, NotFound) as error:
            return denied(error)
        await self._note(result, route, asked.port)
        return result.allowed

    async def _actor(self, known: _Known, by: By) -> Actor:
        if not isinstance(by, ByPass):
            return await self._recognise(by.token)
        actor = known.people.get(by.pass_id)
        if actor is None:
            raise Unauthenticated("credential_not_good", "The session has ended; sign in again.")
        return actor

    async def _known(self, asked: Sequence[Access]) -> _Known:
        passes = {each.by.pass_id for each in asked if isinstance(each.by, ByPass)}
        now = self._clock.now()
        async with self._uow.reading() as tx:
            routes = await tx.routes.of_subjects({each.subject_id for each in asked})
            sessions = await tx.sessions.find_all({SessionId(each) for each in passes if each.startswith("ses_")})
            links = await tx.links.find_all({LinkId(each) for each in passes if each.startswith("lnk_")})
            good = [session for session in sessions if session.is_good(now)]
            roles = await tx.grants.roles_of_all({*(each.user_id for each in good), *(each.made_by for each in links)})
        # Whoever works in the browser alone uses their session as well.
        await note_seen(self._uow, good, now=now)
        return _Known(
            people={session.id: person_of(session, roles[session.user_id]) for session in good},
            links={link.id: link for link in links if link.org_id in roles[link.made_by]},
            routes={route.id: route for route in routes},
        )

    async def _note(self, result: Entered, route: Route, port: int) -> None:
        """Once for a credential and a subject. Raises Unavailable where it can't be noted: then nobody is let in."""
        key = (result.allowed.by, route.id)
        if not result.is_noted or result.tenant is None or key in self._noted:
            return
        async with self._uow() as tx:
            await self._auditor.note(tx, result.tenant, Action.WORKER_ENTER, route.id, port=str(port))
            await tx.commit()
        if len(self._noted) >= _MAX_NOTED:
            self._noted.clear()
        self._noted[key] = None


def _code_not_good() -> Unauthenticated:
    return Unauthenticated("code_not_good", "The code was used already, or is too old; begin again.")
