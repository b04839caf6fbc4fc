"""Who reaches workers' ports, for the client: sharing of a port, and links to it that end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import SecretStr, field_serializer

from spunto.client.api import Api, json_of, parsed
from spunto.client.retry import Repeat
from spunto.client.wire import WireModel
from spunto.client.worker_models import Worker, WorkerRef

Sharing = Literal["owner", "org", "public"]


class SharedPort(WireModel):
    port: int
    sharing: str
    url: str = ""


class PortLink(WireModel):
    """A link to a port, which is told only once."""

    id: str
    port: int
    created_by: str = ""
    created_at: datetime
    expires_at: datetime


class PortLinkWithUrl(PortLink):
    """A new link; whoever has its `url` gets in."""

    url: SecretStr

    @field_serializer("url", when_used="json")
    def _reveal(self, url: SecretStr) -> str:
        return url.get_secret_value()


class OpenedPort(SharedPort):
    """A port that others than the worker's owner reach, with its links that have not ended."""

    links: tuple[PortLink, ...] = ()


class PortSharing:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def opened(self, worker: Worker | WorkerRef) -> Sequence[OpenedPort]:
        """By port; also of a worker that is stopped, and where nothing listens."""
        answer = json_of(await self._api.request("GET", f"{_worker(worker)}/sharing"))
        return [OpenedPort.model_validate(port) for port in answer.get("items", ())]

    async def share(self, worker: Worker | WorkerRef, port: int, sharing: Sharing) -> SharedPort:
        """Let others reach the port from now on, or nobody any more."""
        answer = await self._api.request("PUT", _path(worker, port), body={"sharing": sharing})
        return parsed(SharedPort, answer)

    async def links(self, worker: Worker | WorkerRef, port: int) -> Sequence[PortLink]:
        """Those that have not ended, the newest first."""
        answer = json_of(await self._api.request("GET", f"{_path(worker, port)}/links"))
        return [PortLink.model_validate(link) for link in answer.get("items", ())]

    async def create_link(
        self, worker: Worker | WorkerRef, port: int, *, expires_in_seconds: int | None = None
    ) -> PortLinkWithUrl:
        """Good for an hour where nothing is said, and for 30 days at most. Needs a session."""
        body = {} if expires_in_seconds is None else {"expiresInSeconds": expires_in_seconds}
        path = f"{_path(worker, port)}/links"
        return parsed(PortLinkWithUrl, await self._api.request("POST", path, body=body, repeat=Repeat.UNSENT))

    async def revoke_link(self, worker: Worker | WorkerRef, port: int, link_id: str) -> None:
        """Whoever came in by it is put out within seconds."""
        await self._api.request("DELETE", f"{_path(worker, port)}/links/{link_id}")


def _path(worker: Worker | WorkerRef, port: int) -> str:
    return f"{_worker(worker)}/ports/{port}"


def _worker(worker: Worker | WorkerRef) -> str:
    return f"/api/orgs/{worker.org_id}/workers/{worker.id}"
