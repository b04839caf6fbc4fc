"""Nodes, for the client."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
from pydantic import Field, SecretStr, field_serializer

from spunto.client.api import Api, Page, parsed
from spunto.client.retry import Repeat
from spunto.client.wire import Failure, WireModel


class Agent(WireModel):
    """What a node's agent said of itself and its engine; `engine_error` while the engine is away.

    `outdated` where it is of another version or commit than the server; `labels` are the machine's own.
    """

    version: str = ""
    commit: str = ""
    outdated: bool = False
    labels: Mapping[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    engine: str = ""
    engine_version: str = ""
    engine_error: Failure | None = None
    posture: Mapping[str, Any] = Field(default_factory=dict)


class Limits(WireModel):
    """What is given away of a node at most; None is as much as its agent offers."""

    cpus: float | None = None
    memory_bytes: int | None = None


class Disk(WireModel):
    """The disk of a node's engine. With less than `reserve_bytes` free, or room for less than `reserve_files`, the node
    takes no new workers."""

    total_bytes: int
    free_bytes: int
    reserve_bytes: int
    total_files: int = 0
    free_files: int = 0
    reserve_files: int = 0

    @property
    def is_short(self) -> bool:
        return self.free_bytes < self.reserve_bytes or self.free_files < self.reserve_files


class Node(WireModel):
    """`cpus` and `memory_bytes` are what is given away to workers, None until its agent has connected; what its machine
    really has are `machine_cpus`, `machine_memory_bytes` and `disk`. `upgrade_command`, run as root on that machine,
    puts the server's agent there.
    """

    id: str
    org_id: str
    name: str
    status: str
    connected: bool = False
    draining: bool = False
    deleting_since: datetime | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = Field(default_factory=dict)
    cpus: float | None = None
    memory_bytes: int | None = None
    machine_cpus: float | None = None
    machine_memory_bytes: int | None = None
    disk: Disk | None = None
    limits: Limits = Field(default_factory=Limits)
    reserved_cpus: float = 0
    reserved_memory_bytes: int = 0
    workers: int = 0
    agent: Agent | None = None
    error: Failure | None = None
    upgrade_command: str = ""
    connection_changed_at: datetime | None = None
    created_at: datetime


class NodeCredentials(WireModel):
    """A node with its one-time token, and two ways to install its agent with it. Shown once, never again."""

    node: Node
    token: SecretStr
    install_command: str = Field(default="", repr=False)
    cloud_init: str = Field(default="", repr=False)

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class InventoryItem(WireModel):
    """A container on a node; `known` is `expected`, `orphan` or `quarantined`."""

    container_id: str
    name: str = ""
    kind: str | None = None
    id: str | None = None
    generation: int | None = None
    docker_state: str = "unknown"
    known: str


class Inventory(WireModel):
    sampled_at: datetime | None = None
    engine: Any = None
    items: tuple[InventoryItem, ...] = ()


class Nodes:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(
        self,
        org_id: str,
        *,
        status: str | None = None,
        name: str | None = None,
        tag: str | None = None,
        sort: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Node]:
        """Nodes that are all of what is said; `sort` is `-createdAt`, `createdAt`, `name` or `-name`."""
        asked = {"status": status, "name": name, "tag": tag, "sort": sort}
        return await self._api.page(Node, _path(org_id), limit=limit, cursor=cursor, **asked)

    def iter_nodes(self, org_id: str, **asked: str | None) -> AsyncIterator[Node]:
        """Every one of them; `asked` are the API's own query parameters, such as `status`."""
        return self._api.pages(Node, _path(org_id), **asked)

    async def create(
        self,
        org_id: str,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> NodeCredentials:
        """Make a node. Its token is in this answer only, so a lost answer is not asked for again."""
        wanted = {
            "name": name,
            "labels": None if labels is None else dict(labels),
            "tags": None if tags is None else [*tags],
            "metadata": metadata,
        }
        body = {field: value for field, value in wanted.items() if value is not None}
        return await self._api.create(
            NodeCredentials, _path(org_id), body, idempotency_key=idempotency_key, repeat=Repeat.REFUSED
        )

    async def get(self, org_id: str, node_id: str) -> Node:
        return await self._api.get(Node, _path(org_id, node_id))

    async def update(self, org_id: str, node_id: str, *, if_match: str | None = None, **changes: object) -> Node:
        """Change `name`, `labels`, `tags`, `metadata` (each replaced whole) or `limits` (a mapping of `cpus` and
        `memoryBytes`, None for what the agent offers); what is not given stays. Raises ChangedMeanwhile."""
        return await self._api.patch(Node, _path(org_id, node_id), changes, if_match=if_match)

    async def delete(
        self, org_id: str, node_id: str, *, force: bool = False, if_match: str | None = None
    ) -> Node | None:
        """With `force` a node that holds anything stays `deleting` until its agent has removed it, and is given as it
        is then; None where it is gone. Raises StateConflict while it holds anything and `force` is not given, and
        ChangedMeanwhile."""
        answer = await self._api.delete(_path(org_id, node_id), force=force or None, if_match=if_match)
        return parsed(Node, answer) if answer.status_code == httpx.codes.ACCEPTED else None

    async def abandon(self, org_id: str, node_id: str) -> None:
        """Forget a node whose machine never comes back, with what may still stand there."""
        await self._api.delete(_path(org_id, node_id), abandon=True)

    async def rotate_token(self, org_id: str, node_id: str) -> NodeCredentials:
        """A new token; the connection made with the old one is cut at once."""
        return await self._api.create(NodeCredentials, f"{_path(org_id, node_id)}/token", {}, repeat=Repeat.REFUSED)

    async def drain(self, org_id: str, node_id: str) -> Node:
        """No new workers on it; those there go on."""
        return await self._api.create(Node, f"{_path(org_id, node_id)}/drain", {})

    async def undrain(self, org_id: str, node_id: str) -> Node:
        return await self._api.create(Node, f"{_path(org_id, node_id)}/undrain", {})

    async def inventory(self, org_id: str, node_id: str) -> Inventory:
        """What stands on the node, as it last said itself."""
        return await self._api.get(Inventory, f"{_path(org_id, node_id)}/inventory")


def _path(org_id: str, node_id: str | None = None) -> str:
    nodes = f"/api/orgs/{org_id}/nodes"
    return nodes if node_id is None else f"{nodes}/{node_id}"
