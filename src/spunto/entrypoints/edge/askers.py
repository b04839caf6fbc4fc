"""Who asks for a port, by what they show, and what the server says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from spunto.core.kernel.errors import Forbidden, SpuntoError, Unauthenticated
from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import By, ByPass, ByToken
from spunto.core.routes.passes import Pass
from spunto.entrypoints.edge import crossings
from spunto.entrypoints.edge.credentials import passes_of, token_of
from spunto.entrypoints.edge.entering import Entering
from spunto.entrypoints.edge.grants import Claim, Grant, Grants
from spunto.entrypoints.edge.own_ports import OwnPorts
from spunto.entrypoints.edge.routes import KnownRoute
from spunto.entrypoints.edge.seams import RequestHead

_AT_ONCE: Final = 64
"""Passes of one question. A browser has one; a page of another worker may have planted more beside it."""
_MAX_PASSES: Final = 4 * _AT_ONCE
"""No more fit into a request's head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, by which pass if by any, and what the server says of it."""

    claim: Claim
    shown: Pass | None
    grant: Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Askers:
    """Of one request to a port."""

    request: RequestHead
    port: int
    grants: Grants
    entering: Entering
    own_ports: OwnPorts
    app_url: str

    async def find(self, route: KnownRoute) -> Asker:
        """Of several passes the one that lets in, and wakes if any does; however many that don't stand before it.

        Raises Unauthenticated, Forbidden for what another site had the browser send, QuotaExceeded,
        Unavailable.
        """
        token = token_of(self.request.headers)
        if token is not None:
            return await self._by_token(route, token)
        shown = list(self.shown(route.subject_id).items())[:_MAX_PASSES]
        if not shown:
            self.entering.require_no_ended_link(self.request.headers)
            raise Unauthenticated(
                "credential_missing",
                "Open this address in a browser, or send a token in `Authorization: Bearer <token>`.",
            )
        self._require_own_site()
        found: list[Asker] = []
        for begin in range(0, len(shown), _AT_ONCE):
            found += await self._by_passes(route, shown[begin : begin + _AT_ONCE])
            if any(each.grant.allowed and each.grant.may_wake for each in found):
                break
        return max(found, key=lambda each: (each.grant.allowed, each.grant.may_wake))

    async def is_known(self, route: KnownRoute) -> bool:
        """Whether somebody asks who is no stranger, where everybody may: by a pass, which alone tells, or by a token
        that the server knows."""
        if self.shown(route.subject_id):
            return True
        try:
            token = token_of(self.request.headers)
            return token is not None and (await self._by_token(route, token)).grant.allowed
        except SpuntoError:
            return False

    def shown(self, subject_id: str) -> Mapping[str, Pass]:
        """The good passes, by whom they are of: those of sessions first, since links lead no further."""
        entering, now = self.entering, self.entering.clock.now()
        passes = passes_of(self.request.headers, entering.names, keys=entering.keys, host=entering.host, now=now)
        ours = [each for each in passes if each.subject == subject_id]
        return {each.by: each for each in sorted(ours, key=lambda each: each.is_of_link)}

    def show_anything(self, route: KnownRoute) -> bool:
        """Whether anything tells who asks."""
        return token_of(self.request.headers) is not None or bool(self.shown(route.subject_id))

    async def _by_token(self, route: KnownRoute, token: Secret) -> Asker:
        address, failures = self.entering.client(), self.entering.failures
        failures.require_patience(address, token)
        claim = self._claim(route, ByToken(token=token))
        grant = await self.grants.find(claim)
        if not grant.allowed and grant.status == HTTPStatus.UNAUTHORIZED:
            failures.note(address)
        else:
            failures.remember(token)
        return Asker(claim=claim, shown=None, grant=grant)

    async def _by_passes(self, route: KnownRoute, shown: Sequence[tuple[str, Pass]]) -> list[Asker]:
        claims = [self._claim(route, ByPass(pass_id=by)) for by, _ in shown]
        grants = await self.grants.find_all(claims)
        return [
            Asker(claim=claim, shown=each, grant=grant)
            for claim, (_, each), grant in zip(claims, shown, grants, strict=True)
        ]

    def _claim(self, route: KnownRoute, by: By) -> Claim:
        return Claim(route.subject_id, self.port, route.generation, by)

    def _require_own_site(self) -> None:
        request = self.request
        if not crossings.may_cross(
            request.method,
            request.headers,
            is_upgrade=request.wants_upgrade,
            is_own=self.own_ports.are_at,
            app_origin=self.app_url,
        ):
            raise Forbidden("foreign_origin", "A page of another site can't use this worker with your cookie.")
