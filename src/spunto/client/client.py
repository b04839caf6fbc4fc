"""The typed async client of a Spunto server: `async with SpuntoClient(url, token) as spunto: ...`"""

import re
import ssl
from importlib.metadata import version
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from spunto.client.activity import Activity
from spunto.client.api import Api, Connect
from spunto.client.api_keys import ApiKeys
from spunto.client.auth import Auth, Identity
from spunto.client.errors import error_of
from spunto.client.files import Files
from spunto.client.nodes import Nodes
from spunto.client.org_secrets import OrganizationSecrets
from spunto.client.orgs import Organizations
from spunto.client.port_sharing import PortSharing
from spunto.client.projects import Projects
from spunto.client.retry import RetryPolicy
from spunto.client.users import Users
from spunto.client.webhooks import Webhooks
from spunto.client.workers import Workers
from spunto.core.kernel.clock import Clock, SystemClock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.loopback import programs_url
from spunto.core.kernel.proxies import proxy_of
from spunto.core.kernel.secret import Secret


class Health(NamedTuple):
    """`is_alive`: the process answers. `is_ready`: it can do its work; `reason` says why not."""

    is_alive: bool
    is_ready: bool
    reason: str | None


_DEFAULT_RETRY = RetryPolicy()
_TOKEN = re.compile(r"[!-~]*")


async def _connect(url: str, **settings: Any) -> Any:
    # Few commands open a WebSocket, and its library takes a while to import.
    from websockets.asyncio.client import connect

    return await connect(url, **settings)


class SpuntoClient:
    """One server and one credential, which is empty until one is signed in.

    Every failure is a SpuntoError; see `spunto.client.errors`.

    A server on this machine is spoken to directly, and any other one through the proxy that the environment names.
    `timeout_seconds` bounds each try of a request. `transport` is for those who reach the server in their own way,
    such as `httpx.ASGITransport`, and `connect` does for WebSockets what `websockets.asyncio.client.connect` does.
    """

    def __init__(
        self,
        url: str,
        token: Secret | str,
        *,
        timeout_seconds: float = 30.0,
        retry: RetryPolicy = _DEFAULT_RETRY,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        connect: Connect | None = None,
    ) -> None:
        secret = Secret(token) if isinstance(token, str) else token
        if not _is_server(url):
            raise Invalid("invalid_url", f"{url!r} is not the URL of a server, such as http://127.0.0.1:8000.")
        if not _TOKEN.fullmatch(secret.reveal()):
            raise Invalid("invalid_token", "The token has characters that no token has; copy it again.")
        proxy = proxy_of(url) if transport is None else None
        self._http = httpx.AsyncClient(
            base_url=programs_url(url) if transport is None else url,
            timeout=timeout_seconds,
            # With a transport of its own httpx asks the environment for no proxy by itself.
            transport=transport or _transport(url, proxy),
            headers={"Accept": "application/json", "User-Agent": f"spunto-client/{version('spunto')}"},
        )
        self._api = Api(
            self._http,
            token=secret,
            timeout_seconds=timeout_seconds,
            retry=retry,
            clock=clock or SystemClock(),
            proxy=proxy,
            connect=connect or _connect,
        )
        self.auth = Auth(self._api, clock=self._api.clock)
        self.orgs = Organizations(self._api)
        self.api_keys = ApiKeys(self._api)
        self.webhooks = Webhooks(self._api)
        self.users = Users(self._api)
        self.org_secrets = OrganizationSecrets(self._api)
        self.nodes = Nodes(self._api)
        self.projects = Projects(self._api)
        self.workers = Workers(self._api)
        self.files = Files(self._api)
        self.port_sharing = PortSharing(self._api)
        self.activity = Activity(self._api)

    async def __aenter__(self) -> "SpuntoClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def identity(self) -> Identity:
        """Whom the token stands for; every token may ask this."""
        return await self._api.get(Identity, "/api/auth/session")

    async def health(self) -> Health:
        """How the server is, without a token and without raising or repeating anything."""
        is_alive, reason = await self._answers("/healthz")
        if not is_alive:
            return Health(is_alive=False, is_ready=False, reason=reason)
        is_ready, reason = await self._answers("/readyz")
        return Health(is_alive=True, is_ready=is_ready, reason=reason)

    async def _answers(self, path: str) -> tuple[bool, str | None]:
        try:
            answer = await self._http.get(path)
        except httpx.TransportError as error:
            return False, f"Can't reach {self._api.place}: {error}"
        if answer.is_success:
            return True, None
        return False, error_of(answer.status_code, answer.headers, answer.content).detail


def _is_server(url: str) -> bool:
    try:
        address = urlsplit(url)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return False


def _transport(url: str, proxy: str | None) -> httpx.AsyncHTTPTransport:
    # To read all certificate authorities takes as long as a request. Without any, nothing that speaks TLS is believed.
    is_plain = urlsplit(url).scheme == "http" and proxy is None
    try:
        if is_plain:
            return httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return httpx.AsyncHTTPTransport(proxy=proxy)
    except ImportError as error:
        raise Invalid("invalid_proxy", "A SOCKS proxy needs `pip install 'httpx[socks]'`.") from error
