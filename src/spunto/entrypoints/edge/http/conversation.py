"""What is said on a client's connection: request after request, each decided by itself, answered in order."""

import secrets
from collections.abc import Callable, MutableSet
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson
import structlog

from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.edge.http.chunks import lines_of
from spunto.entrypoints.edge.http.client import Client
from spunto.entrypoints.edge.http.exchange import Exchange
from spunto.entrypoints.edge.http.headers import passing
from spunto.entrypoints.edge.http.origin import Origins
from spunto.entrypoints.edge.http.requests import Incoming, glimpse, read_request
from spunto.entrypoints.edge.http.times import Times
from spunto.entrypoints.edge.http.upload import ClientFailed
from spunto.entrypoints.edge.seams import Answer, Decider, Forward, Handover, RequestHead
from spunto.entrypoints.serving.heads import Fault, bad
from spunto.entrypoints.serving.problems import problem_body

_OUR_FAULT: Final = Fault(
    status=500, code="internal_error", detail="The edge has a fault of its own; its log has more."
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all conversations share."""

    decider: Decider
    origins: Origins
    exchanges: MutableSet[Exchange]
    times: Times
    is_ending: Callable[[], bool]
    """Whether no connection is to be kept any more."""


async def converse(client: Client, house: House) -> None:
    """Until the connection is closed, or was handed over."""
    received = await client.head(is_first=True)
    while received is not None:
        client.is_served = True
        request = received if isinstance(received, Fault) else read_request(received, client.peer, is_tls=client.is_tls)
        if isinstance(request, Fault):
            seen = client.unread if isinstance(received, Fault) else received
            await _refuse(client, house, request, glimpse(seen, client.peer, is_tls=client.is_tls))
            return
        if not await _Turn(client, house, request).run():
            return
        client.is_served = False
        received = None if house.is_ending() else await client.head(is_first=False)
    client.close()


class _Turn:
    """One request."""

    def __init__(self, client: Client, house: House, request: Incoming) -> None:
        self._client = client
        self._house = house
        self._request = request
        self._head = request.head

    async def run(self) -> bool:
        """Whether the next request may come; otherwise the connection is closed, or somebody else's."""
        decision = await self._decide()
        if isinstance(decision, Answer):
            return await self._answer(decision)
        if isinstance(decision, Handover):
            decision.take(self._client.transport, self._client.held())
            return False
        exchange = Exchange(self._client, self._request, decision, origins=self._house.origins, times=self._house.times)
        self._house.exchanges.add(exchange)
        # Nobody knows what a client sent behind a request that would have begun another protocol.
        may_go_on = not (self._house.is_ending() or self._head.wants_upgrade)
        try:
            goes_on = await exchange.run(may_go_on=may_go_on)
        except (SpuntoError, ClientFailed) as error:
            return await self._answer(self._failed(error))
        finally:
            self._house.exchanges.discard(exchange)
        if not goes_on:
            await self._leave(has_read_all=exchange.is_sent)
        return goes_on

    async def _decide(self) -> Forward | Answer | Handover:
        try:
            return await self._house.decider.decide(self._head)
        except Exception as error:  # the edge of a request; the others on this process go on
            log.error("request_failed", exc_info=error)
            return self._house.decider.shown(self._head, _OUR_FAULT) or problem_answer(_OUR_FAULT)

    def _failed(self, error: SpuntoError | ClientFailed) -> Answer:
        if isinstance(error, ClientFailed):
            return problem_answer(bad(str(error)))
        return self._house.decider.failed(self._head, error)

    async def _answer(self, answer: Answer) -> bool:
        """A body that was not read ends the connection: nobody knows how much of it is still to come."""
        is_last = self._house.is_ending() or self._head.wants_upgrade
        goes_on = self._request.keeps_alive and self._request.has_no_body and not is_last
        connection = b"keep-alive" if self._head.version == b"1.0" else b""
        self._client.write(write_answer(answer, self._head, connection=connection if goes_on else b"close"))
        await self._client.drained()
        if not goes_on:
            await self._leave(has_read_all=self._request.has_no_body)
        return goes_on

    async def _leave(self, *, has_read_all: bool) -> None:
        if has_read_all:
            self._client.close()
        else:
            await self._client.linger()


async def _refuse(client: Client, house: House, fault: Fault, seen: RequestHead | None) -> None:
    page = None if seen is None else house.decider.shown(seen, fault)
    client.write(write_answer(page or problem_answer(fault), None, connection=b"close"))
    await client.linger()


def problem_answer(fault: Fault) -> Answer:
    body = problem_body(fault.status, fault.code, fault.detail, request_id=secrets.token_hex(16))
    headers = [
        *fault.headers,
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Answer(status=fault.status, headers=headers, body=orjson.dumps(body))


def write_answer(answer: Answer, request: RequestHead | None, *, connection: bytes) -> bytes:
    """`connection` is empty for one that goes on. `request` is None where it could not be read."""
    fields = passing(answer.headers)
    has_body = answer.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if has_body:
        fields.append((b"content-length", b"%d" % len(answer.body)))
    if connection:
        fields.append((b"connection", connection))
    body = answer.body if has_body and (request is None or request.method != b"HEAD") else b""
    reason = HTTPStatus(answer.status).phrase.encode()
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (answer.status, reason, lines_of(fields), body)
