"""Decides what becomes of each request: to the server, to a port of a worker, or an answer from here."""

from typing import Final

from spunto.core.kernel.errors import NotFound, SpuntoError
from spunto.core.protocol.relaying import RELAY_PATH
from spunto.core.routes.hosts import target_of
from spunto.entrypoints.edge import flooded
from spunto.entrypoints.edge.answers import refusal
from spunto.entrypoints.edge.crossings import is_navigation
from spunto.entrypoints.edge.reaching import host_unknown
from spunto.entrypoints.edge.relay_door import RelayDoor
from spunto.entrypoints.edge.seams import Answer, Forward, Handover, RequestHead, Target
from spunto.entrypoints.edge.server_link import ServerAway
from spunto.entrypoints.edge.visits import Doors, Visit
from spunto.entrypoints.serving.heads import Fault

_RELAY: Final = RELAY_PATH.encode()


class Gate:
    """The edge's Decider. `server` is where everything goes that is no worker's."""

    def __init__(self, doors: Doors, *, server: Target, relays: RelayDoor) -> None:
        self._doors = doors
        self._server = server
        self._relays = relays

    async def decide(self, request: RequestHead) -> Forward | Answer | Handover:
        try:
            return await self._decide(request)
        except SpuntoError as error:
            return self.failed(request, error)

    def shown(self, request: RequestHead, fault: Fault) -> Answer | None:
        if not is_navigation(request.method, request.headers):
            return None
        told, name = self._doors.link.told, request.host.partition(":")[0]
        if told is None or target_of(name, base_domain=told.addresses.base_domain) is None:
            return flooded.refused(request, fault)
        return flooded.refused_at_worker(request, fault, addresses=told.addresses, app_url=told.app_url)

    def failed(self, request: RequestHead, error: SpuntoError) -> Answer:
        visit = self._visit(request)
        return refusal(request, error) if visit is None else visit.refused(error)

    async def _decide(self, request: RequestHead) -> Forward | Answer | Handover:
        told = self._doors.link.told
        if told is None:
            raise ServerAway
        visit = self._visit(request)
        if visit is not None:
            return await visit.decide()
        if request.target == _RELAY:
            return self._relay(request)
        name = request.host.partition(":")[0]
        if name == told.addresses.base_domain or name.endswith(f".{told.addresses.base_domain}"):
            raise host_unknown()
        return Forward(target=self._server, headers=self._doors.clients.to_server(request))

    def _relay(self, request: RequestHead) -> Handover:
        """For the bearer of a ticket; nobody else is told that there is something."""
        taken = self._relays.admit(request)
        if taken is None:
            raise NotFound("not_found", "There is nothing at this address.")
        return taken

    def _visit(self, request: RequestHead) -> Visit | None:
        told, keys = self._doors.link.told, self._doors.link.pass_keys
        if told is None or not keys:
            return None
        name = request.host.partition(":")[0]
        target = target_of(name, base_domain=told.addresses.base_domain)
        if target is None:
            return None
        return Visit(self._doors, request, target, addresses=told.addresses, app_url=told.app_url, keys=keys)
