"""One request to a worker's host: who asks, whether they may, and where it goes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import parse_qs

from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import Forbidden, NotFound, QuotaExceeded, SpuntoError, Unauthenticated, Unavailable
from spunto.core.kernel.secret import Secret
from spunto.core.routes.asking import By, Source
from spunto.core.routes.desired import RouteState, Sharing
from spunto.core.routes.hosts import CALLBACK_PATH, LINK_PATH, RESERVED_PATH, TUNNEL_PATH, Addresses, HostTarget
from spunto.entrypoints.edge import crossings, exchange
from spunto.entrypoints.edge.activity import ActivityLog
from spunto.entrypoints.edge.answers import redirect, refusal
from spunto.entrypoints.edge.askers import Asker, Askers
from spunto.entrypoints.edge.clients import Clients
from spunto.entrypoints.edge.credentials import token_of
from spunto.entrypoints.edge.entering import Entering
from spunto.entrypoints.edge.exchange import CookieNames
from spunto.entrypoints.edge.failures import Failures
from spunto.entrypoints.edge.grants import Grant, Grants, require
from spunto.entrypoints.edge.http.headers import asked_for_again, to_worker
from spunto.entrypoints.edge.own_ports import OwnPorts
from spunto.entrypoints.edge.parking import PARKED_SECONDS
from spunto.entrypoints.edge.reaching import PAGE_SECONDS, Reaching
from spunto.entrypoints.edge.routes import KnownRoute
from spunto.entrypoints.edge.seams import Answer, Forward, Handover, RequestHead
from spunto.entrypoints.edge.server_link import ServerLink
from spunto.entrypoints.edge.staying import Staying
from spunto.entrypoints.edge.tunnels import Tunnels
from spunto.entrypoints.serving.peers import counted_peer


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What visits are made with."""

    link: ServerLink
    grants: Grants
    reaching: Reaching
    activity: ActivityLog
    clients: Clients
    tunnels: Tunnels
    failures: Failures
    clock: Clock


_A = TypeVar("_A", bound=Asker | None)


class Visit:
    """Of one request; `addresses` and `app_url` are as the server last told them."""

    def __init__(
        self,
        doors: Doors,
        request: RequestHead,
        target: HostTarget,
        *,
        addresses: Addresses,
        app_url: str,
        keys: Sequence[bytes],
    ) -> None:
        self._doors = doors
        self._request = request
        self._target = target
        self._addresses = addresses
        self._app_url = app_url
        self._entering = Entering(
            link=doors.link,
            failures=doors.failures,
            clock=doors.clock,
            host=request.host.partition(":")[0],
            client=lambda: counted_peer(doors.clients.of(request)),
            names=CookieNames.of(addresses.scheme),
            app_url=app_url,
            keys=keys,
        )
        self._own_ports = OwnPorts(request=request, target=target, addresses=addresses)
        self._askers = Askers(
            request=request,
            port=target.port,
            grants=doors.grants,
            entering=self._entering,
            own_ports=self._own_ports,
            app_url=app_url,
        )
        self._is_navigation = crossings.is_navigation(request.method, request.headers)
        self._is_ahead = crossings.is_ahead(request.headers)

    async def decide(self) -> Forward | Answer | Handover:
        """Raises SpuntoError for whatever is refused."""
        path, _, query = self._path_and_query.partition("?")
        if path == TUNNEL_PATH and self._request.wants_upgrade:
            return await self._tunnel()
        if path.startswith(RESERVED_PATH):
            return await self._own(path, query)
        if self._own_ports.is_preflight:
            return Answer(status=HTTPStatus.NO_CONTENT, headers=crossings.preflight_answer(self._request.headers))
        try:
            return self._forward(*await self._up(self._admitted_unless_public))
        except Unauthenticated as error:
            return self._ask_who(error)

    def refused(self, error: SpuntoError) -> Answer:
        """A page on another port of the worker may read why it was refused."""
        path, _, query = self._path_and_query.partition("?")
        target = _next_of(query) if path == exchange.WAIT_PATH else self._path_and_query
        return refusal(
            self._request,
            error,
            headers=self._own_ports.sharing,
            sign_in=exchange.enter_path(target),
            again=exchange.wait_path(target),
        )

    @property
    def _path_and_query(self) -> str:
        return self._request.target.decode("latin1")

    def _is_public(self, route: KnownRoute) -> bool:
        return route.spec.sharing_of(self._target.port) is Sharing.PUBLIC

    @property
    def _patience(self) -> float:
        """A person is told soon what is waited for; a program waits."""
        return PAGE_SECONDS if self._is_navigation or self._is_ahead else PARKED_SECONDS

    # Who asks

    async def _admitted(self, route: KnownRoute) -> Asker:
        """Raises Unauthenticated, Forbidden and NotFound for who may not pass."""
        asker = await self._askers.find(route)
        require(asker.grant)
        return asker

    async def _admitted_unless_public(self, route: KnownRoute) -> Asker | None:
        """None where everybody may."""
        return None if self._is_public(route) else await self._admitted(route)

    async def _waker(self, route: KnownRoute, asker: Asker | None) -> By | None:
        """Who may start the worker does so also where everybody gets in; nobody else is asked there who they are."""
        if route.spec.state is RouteState.UP:
            return None
        try:
            asker = asker or await self._askers.find(route)
        except (Unauthenticated, Forbidden, QuotaExceeded, Unavailable):
            return None
        return asker.claim.by if self._is_waking(asker) else None

    def _is_waking(self, asker: Asker) -> bool:
        """Whether somebody who may start the worker wants it: a person who goes there, or a program that is no page's
        script."""
        is_script = crossings.first(self._request.headers, b"sec-fetch-mode") is not None
        is_meant = self._is_navigation or (asker.shown is None and not is_script and not self._is_ahead)
        return is_meant and asker.grant.allowed and asker.grant.may_wake

    def _ask_who(self, error: Unauthenticated) -> Answer:
        """A person is sent to sign in, and comes back here."""
        return self._to_sign_in(self._path_and_query) if self._is_navigation else self.refused(error)

    def _to_sign_in(self, target: str) -> Answer:
        return self._entering.to_sign_in(self._request.headers, target)

    # Our own paths on the worker's host

    async def _own(self, path: str, query: str) -> Answer:
        given = {name: values[0] for name, values in parse_qs(query).items()}
        target = _next_of(query)
        if self._request.method != b"GET":
            raise NotFound("host_unknown", "There is nothing at this address.")
        if path == CALLBACK_PATH and "code" in given:
            code, nonce_hash = Secret(given["code"]), given.get("n", "")
            return await self._entering.by_code(code, self._request.headers, target, nonce_hash=nonce_hash)
        if path == exchange.ENTER_PATH:
            return self._to_sign_in(target)
        if path == exchange.WAIT_PATH:
            return await self._wait(target)
        if path == LINK_PATH and "token" in given:
            return await self._entering.by_link(Secret(given["token"]), target)
        raise NotFound("host_unknown", "There is nothing at this address.")

    async def _wait(self, target: str) -> Answer:
        """On to the page once it is there; the page that waits is shown again until then."""
        route = self._doors.reaching.route_of(self._target)
        try:
            await self._admitted_unless_public(route)
        except Unauthenticated:
            return self._to_sign_in(target)
        await self._doors.reaching.require_there(route, self._target.port)
        return redirect(exchange.safe_next(target))

    # Where it goes

    async def _up(self, admit: Callable[[KnownRoute], Awaitable[_A]]) -> tuple[KnownRoute, _A]:
        """The route once it is up, and who was admitted to it as it stands then."""
        until = self._doors.clock.monotonic() + self._patience
        while True:
            route = self._doors.reaching.route_of(self._target)
            asker = await admit(route)
            waker = await self._waker(route, asker)
            left = until - self._doors.clock.monotonic()
            is_known = self._is_known(route, asker or waker)
            if await self._doors.reaching.up(self._target, waker=waker, seconds=left, is_known=is_known) is route:
                return route, asker
            # Whoever waited is asked again: what they may has perhaps changed meanwhile, as the route has.

    def _forward(self, route: KnownRoute, asker: Asker | None) -> Forward:
        """`asker` is None where everybody may."""
        renewed = None if asker is None else self._entering.renewed(asker.shown)
        return Forward(
            target=self._doors.reaching.target_of(
                route, self._target.port, seconds=self._patience, is_known=self._is_known(route, asker)
            ),
            headers=to_worker(
                self._request, client=self._doors.clients.of(self._request), scheme=self._addresses.scheme
            ),
            edit_response=lambda status, headers: self._own_ports.answered(
                headers if asker is None else asked_for_again(status, headers), renewed=renewed
            ),
            still_may=self._still_may(route, asker),
            reached=lambda: self._note_use(route),
        )

    async def _tunnel(self) -> Handover:
        """For programs with a token, also where everybody may send requests. It stands before anybody is told so."""
        if token_of(self._request.headers) is None:
            raise Unauthenticated("credential_missing", "Send a token in `Authorization: Bearer <token>`.")
        route, asker = await self._up(self._admitted)
        upstream = await self._doors.reaching.target_of(route, self._target.port).connect()
        self._note_use(route)
        return self._doors.tunnels.handover(self._request, upstream, still_may=self._still_may(route, asker))

    def _is_known(self, route: KnownRoute, who: Asker | By | None) -> Callable[[], Awaitable[bool]]:
        async def is_known() -> bool:
            return who is not None or await self._askers.is_known(route)

        return is_known

    def _note_use(self, route: KnownRoute) -> None:
        if not self._is_ahead:
            source = Source.WEBSOCKET if self._request.wants_upgrade else Source.HTTP
            self._doors.activity.note(route.subject_id, source)

    def _still_may(self, route: KnownRoute, asker: Asker | None) -> Callable[[bool], bool]:
        """What Forward asks each second."""
        staying = Staying(self._grant_now, grants=self._doors.grants)

        def still_may(moved: bool) -> bool:
            if moved:
                self._note_use(route)
            if asker is not None:
                return self._doors.grants.holds(asker.grant)
            if self._doors.reaching.is_public(self._target):
                staying.forget()
                return True
            return self._askers.show_anything(route) and staying.may()

        return still_may

    async def _grant_now(self) -> Grant:
        """Raises SpuntoError where nobody can be told of."""
        return (await self._askers.find(self._doors.reaching.route_of(self._target))).grant


def _next_of(query: str) -> str:
    return parse_qs(query).get("next", ["/"])[0]
