"""The typed async client of a Spunto server: `async with SpuntoClient(url, token) as spunto: ...`"""

from importlib.metadata import version
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from spunto.client.activity import Activity
from spunto.client.api import Api
from spunto.client.api_keys import ApiKeys
from spunto.client.auth import Auth, Identity
from spunto.client.errors import error_of
from spunto.client.nodes import Nodes
from spunto.client.org_secrets import OrganizationSecrets
from spunto.client.orgs import Organizations
from spunto.client.projects import Projects
from spunto.client.retry import RetryPolicy
from spunto.client.users import Users
from spunto.client.webhooks import Webhooks
from spunto.client.workers import Workers
from spunto.core.kernel.clock import Clock, SystemClock
from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.secret import Secret


class Health(NamedTuple):
    """`is_alive`: the process answers. `is_ready`: it can do its work; `reason` says why not."""

    is_alive: bool
    is_ready: bool
    reason: str | None


_DEFAULT_RETRY = RetryPolicy()


class SpuntoClient:
    """One server and one credential, which is empty until one is signed in.

    Every failure is a SpuntoError; see `spunto.client.errors`.

    `timeout_seconds` bounds each try of a request. `transport` is for those who reach the server in their own way,
    such as `httpx.ASGITransport`.
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
    ) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise Invalid("invalid_url", f"{url!r} is not the URL of a server, such as http://127.0.0.1:8000.")
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=timeout_seconds,
            transport=transport,
            headers={"Accept": "application/json", "User-Agent": f"spunto-client/{version('spunto')}"},
        )
        secret = Secret(token) if isinstance(token, str) else token
        self._api = Api(
            self._http, token=secret, timeout_seconds=timeout_seconds, retry=retry, clock=clock or SystemClock()
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
            return False, f"Can't reach {self._api.url}: {error}"
        if answer.is_success:
            return True, None
        return False, error_of(answer.status_code, answer.headers, answer.content).detail
