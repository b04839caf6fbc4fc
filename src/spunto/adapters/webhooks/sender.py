"""Sends webhooks over HTTP/1.1: to checked addresses alone, never redirected, never through a proxy.

A name is resolved once for a request, every address of it is checked, and the connection is made to one of those very
addresses; SNI, certificate and Host are the name's. So a name that leads elsewhere a moment later leads nowhere.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Final

import httpcore
import httpx

from spunto.core.webhooks.addresses import Address, AddressRule
from spunto.core.webhooks.model import Failure
from spunto.core.webhooks.ports import Answer

TIMEOUT_SECONDS: Final = 10.0
# A resolver that never answers keeps its thread busy long after the request has been given up.
_RESOLVING_AT_ONCE: Final = 32
_CONNECT_SECONDS: Final = 5.0
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "Spunto-Webhooks/1", "Accept": "*/*"}


class HttpWebhookSender:
    """A `WebhookSender`. Whoever makes it closes it."""

    def __init__(self, rule: AddressRule, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._rule = rule
        self._timeout_seconds = timeout_seconds
        self._tls: ssl.SSLContext | None = None
        self._resolving = ThreadPoolExecutor(_RESOLVING_AT_ONCE, thread_name_prefix="webhook names")

    async def aclose(self) -> None:
        self._resolving.shutdown(wait=False, cancel_futures=True)

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return Answer(status=await self._status(url, {**_HEADERS, **headers}, body))
        except _Refused as refused:
            return Answer(failure=refused.failure)
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(failure=Failure.TIMEOUT)
        except (httpcore.ConnectError, httpcore.ReadError, httpcore.WriteError, httpcore.LocalProtocolError) as error:
            return Answer(failure=Failure.TLS_FAILED if _is_about_tls(error) else Failure.CONNECTION_FAILED)
        except httpcore.RemoteProtocolError as error:
            is_silent = "without sending" in str(error)
            return Answer(failure=Failure.CONNECTION_FAILED if is_silent else Failure.BAD_ANSWER)

    async def _status(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The answer's status; the connection is closed on the rest of it."""
        if self._tls is None:
            # Honours SSL_CERT_FILE and SSL_CERT_DIR. Made once, because it reads all the roots there are.
            self._tls = httpx.create_ssl_context()
        network = _CheckedNetwork(self._rule, self._resolving, plain=url.startswith("http://"))
        async with (
            # A pool of its own, so that no connection outlives the check of its address.
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=network, http2=False) as pool,
            pool.stream("POST", url, headers=list(headers.items()), content=body) as answer,
        ):
            return answer.status


class _Refused(Exception):
    """Not an httpcore error, which a pool might take for a connection to try again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to names by addresses that the rule allows."""

    def __init__(self, rule: AddressRule, resolving: ThreadPoolExecutor, *, plain: bool) -> None:
        self._rule = rule
        self._resolving = resolving
        self._plain = plain
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolved(host, port)
        if not addresses:
            raise _Refused(Failure.NAME_NOT_RESOLVED)
        if not all(self._rule.allows(address, plain=self._plain) for address in addresses):
            raise _Refused(Failure.ADDRESS_NOT_ALLOWED)
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(str(address), port, timeout=_CONNECT_SECONDS)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        assert failed is not None  # noqa: S101 - there was at least one address
        raise failed

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise _Refused(Failure.ADDRESS_NOT_ALLOWED)

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)

    async def _resolved(self, host: str, port: int) -> list[Address]:
        """Each address once, in the resolver's order."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._resolving, _resolve, host.strip("[]"), port)
        except (OSError, UnicodeError):
            return []
        return [ip_address(text) for text in dict.fromkeys(found)]


def _resolve(host: str, port: int) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
