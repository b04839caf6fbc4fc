"""Quart without what nothing here uses and each request would pay for: sessions, signals, hooks of blueprints, and a
routing that begins anew for an address that was asked for a moment ago."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast

from quart import Quart, Request
from quart.ctx import RequestContext
from quart.globals import request_ctx
from quart.routing import QuartRule
from quart.sessions import NullSession
from quart.typing import ResponseTypes
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from spunto.entrypoints.http.bodies import PacedBody, PacedRequest
from spunto.entrypoints.http.operations import operation_of

# With the longest addresses there may be these are 4 MiB.
MOST_ADDRESSES: Final = 512
_NO_SESSION: Final = NullSession()


class Application(Quart):
    """Its routes are added before the first request. Its hooks are coroutines, and refuse a request by raising."""

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.request_class = PacedRequest
        # No route depends on the host, or differs from another by a slash at its end.
        self._addresses = self.url_map.bind("")
        self.place_of = lru_cache(MOST_ADDRESSES)(self._place_of)

    def request_context(self, request: Request) -> RequestContext:
        # With a session given, Quart opens none.
        return _Context(self, request, _NO_SESSION)

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        return self._addresses if isinstance(request, Request) else super().create_url_adapter(request)

    async def full_dispatch_request(self, request_context: RequestContext | None = None) -> ResponseTypes:
        asked: Any = (request_context or request_ctx).request
        try:
            given = await self._answer(asked)
        except Exception as error:  # noqa: BLE001 - the edge of a request; what no handler knows is raised again
            given = await self.handle_user_exception(error)
        return await self.process_response(await self.make_response(given), request_context)

    async def _answer(self, asked: Any) -> Any:
        """Whichever hook answers by itself is the last one asked."""
        for hook in self.before_request_funcs[None]:
            given = await cast("Any", hook)()
            if given is not None:
                return given
        if asked.routing_exception is not None:
            self.raise_routing_exception(asked)
        return await cast("Any", self.view_functions[asked.url_rule.endpoint])(**asked.view_args)

    async def process_response(
        self, response: ResponseTypes, request_context: RequestContext | None = None
    ) -> ResponseTypes:
        for hook in reversed(self.after_request_funcs[None]):
            response = await cast("Any", hook)(response)
        return response

    async def do_teardown_request(
        self, exc: BaseException | None, request_context: RequestContext | None = None
    ) -> None:
        for hook in reversed(self.teardown_request_funcs[None]):
            await cast("Any", hook)(exc)

    def _place_of(self, path: str, method: str) -> tuple[QuartRule, Mapping[str, Any]]:
        """The route and its arguments. Raises HTTPException."""
        return cast("tuple[QuartRule, Mapping[str, Any]]", self._addresses.match(path, method, return_rule=True))


class _Context(RequestContext):
    app: Application

    def match_request(self) -> None:
        asked = self.request
        try:
            asked.url_rule, arguments = self.app.place_of(asked.path, asked.method)
            # Admission adds to them.
            asked.view_args = dict(arguments)
            said = operation_of(self.app.view_functions[asked.url_rule.endpoint])
            if said is not None and said.streams_body:
                asked.body = PacedBody(asked.content_length, None)
        except HTTPException as exception:
            asked.routing_exception = exception
