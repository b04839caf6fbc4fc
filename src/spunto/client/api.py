"""The HTTP side of the client: one request, its repeats, and its answer as a typed value."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import httpx
from pydantic import ValidationError

from spunto.client.errors import ServerUnreachable, UnexpectedAnswer, error_of
from spunto.client.retry import Fault, Repeat, RetryPolicy
from spunto.client.wire import WireModel
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.errors import SpuntoError
from spunto.core.kernel.proxies import without_password
from spunto.core.kernel.secret import Secret

M = TypeVar("M", bound=WireModel)

Connect = Callable[..., Awaitable[Any]]
"""Opens a WebSocket, with the arguments and the exceptions of `websockets.asyncio.client.connect`."""

LARGEST_PAGE = 200
# A server may still be writing what it has taken, and a node looks for it for a minute.
UPLOAD_SILENCE_SECONDS = 90.0
# A 429 or 503 with Retry-After was answered before anything was done.
_REFUSALS = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[M]):
    """One page of a list, newest first; ask for the next one with `cursor=page.next_cursor` until it is None."""

    items: tuple[M, ...]
    next_cursor: str | None


class Api:
    """Sends requests with the token, repeats what may be repeated, and turns every failure into a SpuntoError."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        token: Secret,
        timeout_seconds: float,
        retry: RetryPolicy,
        clock: Clock,
        connect: Connect,
        proxy: str | None = None,
    ):
        self.url = str(http.base_url).rstrip("/")
        self.proxy = proxy
        # For people, so that they look at the proxy too.
        self.place = self.url if proxy is None else f"{self.url} through the proxy {without_password(proxy)}"
        self.token = token
        self.timeout_seconds = timeout_seconds
        self.clock = clock
        self.connect = connect
        self._http = http
        self._retry = retry

    async def get(self, model: type[M], path: str, **params: Any) -> M:
        return parsed(model, await self.request("GET", path, params=params))

    async def page(self, model: type[M], path: str, *, limit: int, cursor: str | None, **params: Any) -> Page[M]:
        answer = json_of(await self.request("GET", path, params={**params, "limit": limit, "cursor": cursor}))
        items = answer.get("items")
        if not isinstance(items, list):
            raise UnexpectedAnswer("unexpected_answer", f"{path} answered no list.")
        return Page(items=tuple(_validated(model, item) for item in items), next_cursor=answer.get("nextCursor"))

    async def pages(self, model: type[M], path: str, **params: Any) -> AsyncIterator[M]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = await self.page(model, path, limit=LARGEST_PAGE, cursor=cursor, **params)
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def create(
        self,
        model: type[M],
        path: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        repeat: Repeat = Repeat.ALWAYS,
    ) -> M:
        """POST under an idempotency key, so that a repeat after a lost answer has no second effect."""
        key = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return parsed(model, await self.request("POST", path, body=body, headers=key, repeat=repeat))

    async def patch(self, model: type[M], path: str, changes: Mapping[str, Any], *, if_match: str | None = None) -> M:
        """With `if_match` not repeated after a lost answer: the repeat would only say that somebody changed it."""
        repeat = Repeat.ALWAYS if if_match is None else Repeat.REFUSED
        headers = _condition(if_match)
        return parsed(model, await self.request("PATCH", path, body=changes, headers=headers, repeat=repeat))

    async def delete(self, path: str, *, if_match: str | None = None, **params: Any) -> httpx.Response:
        """Not repeated after a lost answer: the repeat would only say that the thing is gone."""
        headers = _condition(if_match)
        return await self.request("DELETE", path, params=params, headers=headers, repeat=Repeat.REFUSED)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: Repeat = Repeat.ALWAYS,
        timeout_seconds: float | None = None,
    ) -> httpx.Response:
        """The successful answer. Raises SpuntoApiError, ServerUnreachable."""
        request = self._http.build_request(
            method,
            path,
            params=_params(params),
            json=body,
            data=form,
            headers={**(headers or {}), **self._credential()},
        )
        return await self._answer(request, repeat, timeout_seconds=timeout_seconds or self.timeout_seconds)

    async def upload(
        self,
        path: str,
        content: bytes | AsyncIterable[bytes],
        *,
        params: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """PUT bytes, however many, as fast as they are taken. What comes piece by piece can't be sent again.

        Raises SpuntoApiError, ServerUnreachable.
        """
        request = self._http.build_request(
            "PUT",
            path,
            params=_params(params),
            content=content,
            headers={"Content-Type": "application/octet-stream", **(headers or {}), **self._credential()},
            timeout=httpx.Timeout(self.timeout_seconds, read=UPLOAD_SILENCE_SECONDS, write=UPLOAD_SILENCE_SECONDS),
        )
        repeat = Repeat.ALWAYS if isinstance(content, bytes) else Repeat.NEVER
        return await self._answer(request, repeat, timeout_seconds=None)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str],
        silence_seconds: float,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of a GET, piece by piece as it comes; it is over where the server ended it.

        Only the beginning is repeated. Raises SpuntoApiError, and ServerUnreachable also where the body breaks off, or
        nothing comes for `silence_seconds`.
        """
        request = self._http.build_request(
            "GET",
            path,
            params=_params(params),
            headers={**headers, **self._credential()},
            timeout=httpx.Timeout(self.timeout_seconds, read=silence_seconds),
        )
        answer = await self._answer(request, Repeat.ALWAYS, timeout_seconds=self.timeout_seconds, stream=True)
        try:
            yield self._pieces(answer)
        finally:
            await answer.aclose()

    async def _pieces(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for piece in answer.aiter_bytes():
                yield piece
        except httpx.TransportError as error:
            raise ServerUnreachable("answer_lost", f"The answer of {self.place} broke off: {error}") from error

    async def _answer(
        self, request: httpx.Request, repeat: Repeat, *, timeout_seconds: float | None, stream: bool = False
    ) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            answer = await self._attempt(request, timeout_seconds=timeout_seconds, stream=stream)
            if isinstance(answer, httpx.Response):
                return answer
            delay_seconds = self._delay_seconds(answer, repeat, attempt=attempt)
            if delay_seconds is None:
                raise answer.error
            await self.clock.sleep(delay_seconds)

    def _credential(self) -> Mapping[str, str]:
        token = self.token.reveal()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _delay_seconds(self, failed: "_Failed", repeat: Repeat, *, attempt: int) -> float | None:
        if failed.fault is None:
            return None
        return self._retry.delay_seconds(
            failed.fault,
            repeat,
            attempt=attempt,
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
            retry_after_seconds=failed.retry_after_seconds,
        )

    async def _attempt(
        self, request: httpx.Request, *, timeout_seconds: float | None, stream: bool
    ) -> "httpx.Response | _Failed":
        try:
            async with asyncio.timeout(timeout_seconds):
                answer = await self._http.send(request, stream=stream)
                if stream and not answer.is_success:
                    await answer.aread()
        except TimeoutError:
            return _Failed(
                ServerUnreachable("request_timeout", f"{self.place} did not answer within {timeout_seconds:g} s.")
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            return _Failed(ServerUnreachable("server_unreachable", f"Can't reach {self.place}: {error}"), Fault.UNSENT)
        except httpx.TransportError as error:
            lost = ServerUnreachable("answer_lost", f"The connection to {self.place} broke before the answer: {error}")
            return _Failed(lost, Fault.ANSWER_LOST)
        if answer.is_success:
            return answer
        refusal = error_of(answer.status_code, answer.headers, answer.content)
        is_temporary = answer.status_code in _REFUSALS and refusal.retry_after_seconds is not None
        return _Failed(refusal, Fault.REFUSED if is_temporary else None, refusal.retry_after_seconds)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: SpuntoError
    fault: Fault | None = None
    retry_after_seconds: float | None = None


def parsed(model: type[M], answer: httpx.Response) -> M:
    found = validated_json(model, answer.content)
    # As the cached property itself would keep it.
    found.__dict__["etag"] = answer.headers.get("etag")
    return found


def validated_json(model: type[M], raw: bytes) -> M:
    """Raises UnexpectedAnswer."""
    return _read(model, lambda: model.model_validate_json(raw))


def json_of(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError as error:
        raise UnexpectedAnswer("unexpected_answer", "The server answered something that is not JSON.") from error
    if not isinstance(body, dict):
        raise UnexpectedAnswer("unexpected_answer", "The server answered JSON that is no object.")
    return body


def _validated(model: type[M], value: Any) -> M:
    return _read(model, lambda: model.model_validate(value))


def _read(model: type[M], read: Callable[[], M]) -> M:
    try:
        return read()
    except ValidationError as error:
        fault = error.errors()[0]
        where = "/".join(map(str, fault["loc"]))
        raise UnexpectedAnswer(
            "unexpected_answer", f"The server answered no {model.__name__} ({where}: {fault['msg']})."
        ) from error


def _condition(if_match: str | None) -> Mapping[str, str]:
    return {} if if_match is None else {"If-Match": if_match}


def _params(params: Mapping[str, Any] | None) -> Mapping[str, str]:
    return {name: _query(value) for name, value in (params or {}).items() if value is not None}


def _query(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value).lower() if isinstance(value, bool) else str(value)
