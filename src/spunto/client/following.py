"""Following an organization's events: one after the other, without a gap or a double, over lost connections."""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from pydantic import Field, ValidationError

from spunto.client.errors import ServerUnreachable, SpuntoApiError, UnexpectedAnswer
from spunto.client.lines import Message, Retry, messages_in
from spunto.client.wire import WireModel
from spunto.core.kernel.backoff import BackOff
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError


class Event(WireModel):
    """Something that happened in an organization; its events are numbered by `sequence`, without a gap."""

    id: str
    sequence: int
    org_id: str
    type: str
    subject_id: str
    data: Mapping[str, str] = Field(default_factory=dict)
    at: datetime
    request_id: str = ""


_RETRY_SECONDS, _SLOWEST_SECONDS = 1.0, 15.0
# What a proxy answers while there is no server behind it, and what a server says that can't answer now.
_PASSING = frozenset({429, 502, 503, 504})

Opened = AbstractAsyncContextManager[AsyncIterator[bytes]]
Open = Callable[[int | None], Opened]
"""Connects behind that number, or to the present where it is None."""


class EventsLost(SpuntoError):
    """What followed the place is not kept any more: look at everything anew, and follow from `sequence` on."""

    def __init__(self, *, after: int | None, sequence: int) -> None:
        message = f"What followed event {after} is not kept any more; look anew, and go on after {sequence}."
        super().__init__("events_lost", message, sequence=sequence)
        self.sequence = sequence


class Place(WireModel):
    """Where `position` and `reset` say that the reader is now."""

    sequence: int


async def followed(connect: Open, *, after: int | None, clock: Clock) -> AsyncGenerator[Place | Event, None]:
    """The place that following begins at, where none was given, and then every event.

    Raises what the server refuses with, ServerUnreachable only where there was no connection yet, and EventsLost.
    """
    place, has_stood, failures, retry_seconds = after, False, 0, _RETRY_SECONDS
    while True:
        asked_seconds = 0.0
        try:
            async with connect(place) as pieces:
                has_stood = True
                async for message in messages_in(pieces):
                    failures = 0
                    if isinstance(message, Retry):
                        retry_seconds = min(message.seconds, _SLOWEST_SECONDS)
                        continue
                    told = _told(message, place)
                    if told is not None:
                        place = told.sequence
                        yield told
        except SpuntoError as error:
            if not (has_stood and _is_passing(error)):
                raise
            asked_seconds = getattr(error, "retry_after_seconds", None) or 0.0
        # Growing, and spread: everybody lost the same server at the same moment.
        back_off = BackOff(base_seconds=retry_seconds, cap_seconds=_SLOWEST_SECONDS, least=0.5)
        waited_seconds = back_off.seconds(failures, jitter=random.random())  # noqa: S311 - guards nothing
        failures += 1
        await clock.sleep(asked_seconds + waited_seconds)


def _told(message: Message, place: int | None) -> Place | Event | None:
    """What a message says; None for kinds of a later server. Raises EventsLost, UnexpectedAnswer."""
    try:
        match message.event:
            case "message":
                return Event.model_validate_json(message.data)
            case "position":
                return Place.model_validate_json(message.data)
            case "reset":
                raise EventsLost(after=place, sequence=Place.model_validate_json(message.data).sequence)
    except ValidationError as error:
        raise UnexpectedAnswer("unexpected_answer", "The server sent an event that is none.") from error
    return None


def _is_passing(error: SpuntoError) -> bool:
    return isinstance(error, ServerUnreachable) or (isinstance(error, SpuntoApiError) and error.status in _PASSING)
