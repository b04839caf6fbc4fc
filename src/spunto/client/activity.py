"""The audit log and the events of an organization, for the client."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

from pydantic import Field

from spunto.client.api import Api, Page, validated_json
from spunto.client.errors import UnexpectedAnswer
from spunto.client.following import Event, Opened, Place, followed
from spunto.client.lines import lines_in
from spunto.client.wire import WireModel


class AuditEntry(WireModel):
    """One change or refusal: who (`actor_id`), by which credential, did or wanted to do what to which thing."""

    id: str
    at: datetime
    actor_kind: str
    actor_id: str
    credential_id: str
    action: str
    target_id: str
    outcome: str
    request_id: str = ""
    detail: Mapping[str, str] = Field(default_factory=dict)


# Three times what a server lets pass without a word.
_SILENCE_SECONDS = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are asked for; None asks for all. `since` is part of what is found, `until` is not."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_EVERYTHING = AuditFilter()


class Activity:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def audit(
        self, org_id: str, matching: AuditFilter = _EVERYTHING, *, limit: int = 50, cursor: str | None = None
    ) -> Page[AuditEntry]:
        """Changes and refusals, newest first."""
        return await self._api.page(AuditEntry, _audit(org_id), limit=limit, cursor=cursor, **asdict(matching))

    def iter_audit(self, org_id: str, matching: AuditFilter = _EVERYTHING) -> AsyncIterator[AuditEntry]:
        return self._api.pages(AuditEntry, _audit(org_id), **asdict(matching))

    async def export_audit(self, org_id: str, matching: AuditFilter = _EVERYTHING) -> AsyncIterator[AuditEntry]:
        """Everything that matches, newest first, in one answer. Raises ServerUnreachable where that breaks off."""
        asked = self._api.stream(
            _audit(org_id),
            params=asdict(matching),
            headers={"Accept": "application/x-ndjson"},
            silence_seconds=_SILENCE_SECONDS,
        )
        async with asked as pieces:
            async for line in lines_in(pieces):
                yield validated_json(AuditEntry, line)

    async def events(self, org_id: str, *, after: int | None = None) -> AsyncGenerator[Event, None]:
        """What happens from the first step of the iteration on, or behind the event numbered `after`: all of it, in
        order, and each event once, also over lost connections and restarts of the server.

        Raises SpuntoApiError once the follower may not see it any more, EventsLost where what followed is not kept any
        more (about a week), and ServerUnreachable where not even the first connection stands.
        """
        async with aclosing(self._followed(org_id, after)) as following:
            async for told in following:
                if isinstance(told, Event):
                    yield told

    async def position(self, org_id: str) -> int:
        """The number of the newest event: take it, look at what there is, and follow `after` it without a gap."""
        async with aclosing(self._followed(org_id, None)) as following:
            async for told in following:
                return told.sequence
        raise UnexpectedAnswer("unexpected_answer", "The server did not say where its events are.")

    def _followed(self, org_id: str, after: int | None) -> AsyncGenerator[Place | Event, None]:
        return followed(partial(self._connect, org_id), after=after, clock=self._api.clock)

    def _connect(self, org_id: str, after: int | None) -> Opened:
        place = {} if after is None else {"Last-Event-ID": str(after)}
        return self._api.stream(
            f"/api/orgs/{org_id}/events",
            headers={"Accept": "text/event-stream", **place},
            silence_seconds=_SILENCE_SECONDS,
        )


def _audit(org_id: str) -> str:
    return f"/api/orgs/{org_id}/audit"
