"""Requests to a provider: short, small, JSON, and never led elsewhere."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx
import structlog

from spunto.core.kernel.errors import Unavailable

TIMEOUT_SECONDS: Final = 10.0
MAX_BYTES: Final = 1024 * 1024
RETRY_AFTER_SECONDS: Final = 5.0

log = structlog.get_logger()


class Web:
    """Redirects are not followed: what a provider's own document names is where it is."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object at the address. Raises Unavailable for anything else."""
        status, body = await self._send(self._http.build_request("GET", url, headers=headers))
        if status != 200:
            raise unavailable(f"{url} answered {status}")
        return body

    async def post(
        self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Status and object, for 200 and for 400 and 401, by which a provider refuses. Raises Unavailable."""
        status, body = await self._send(self._http.build_request("POST", url, data=form, headers=headers))
        if status not in (200, 400, 401):
            raise unavailable(f"{url} answered {status}")
        return status, body

    async def _send(self, request: httpx.Request) -> tuple[int, dict[str, Any]]:
        request.headers["Accept"] = "application/json"
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.send(request, stream=True, follow_redirects=False)
                try:
                    raw = await _limited(answer)
                finally:
                    await answer.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            raise unavailable(f"{request.url.copy_with(query=None)} can't be reached: {error}") from error
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise unavailable(f"{request.url.copy_with(query=None)} answered {answer.status_code}, no JSON") from error
        if not isinstance(body, dict):
            raise unavailable(f"{request.url.copy_with(query=None)} answered no object")
        return answer.status_code, body


async def _limited(answer: httpx.Response) -> bytes:
    raw = b""
    async for piece in answer.aiter_bytes():
        raw += piece
        if len(raw) > MAX_BYTES:
            raise unavailable("the answer is too long")
    return raw


def unavailable(reason: str) -> Unavailable:
    """The error, which says nothing of the reason: that is the operator's to read, in the log, and to mend."""
    log.warning("sign_in_provider_unavailable", reason=reason)
    return Unavailable(
        "provider_unavailable",
        "The sign-in provider does not answer as it should; try again in a moment.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
