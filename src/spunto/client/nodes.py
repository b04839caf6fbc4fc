"""Nodes, for the client."""

from collections.abc import AsyncIterator, Mapping

from spunto.client.api import Api, Page
from spunto.client.models import Inventory, Node, NodeCredentials
from spunto.client.retry import Repeat


class Nodes:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, org_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Node]:
        return await self._api.page(Node, _path(org_id), limit=limit, cursor=cursor)

    def iter_nodes(self, org_id: str) -> AsyncIterator[Node]:
        return self._api.pages(Node, _path(org_id))

    async def create(
        self, org_id: str, name: str, *, labels: Mapping[str, str] | None = None, idempotency_key: str | None = None
    ) -> NodeCredentials:
        """Make a node. Its token is in this answer only, so a lost answer is not asked for again."""
        body = {"name": name} | ({} if labels is None else {"labels": dict(labels)})
        return await self._api.create(
            NodeCredentials, _path(org_id), body, idempotency_key=idempotency_key, repeat=Repeat.REFUSED
        )

    async def get(self, org_id: str, node_id: str) -> Node:
        return await self._api.get(Node, _path(org_id, node_id))

    async def delete(self, org_id: str, node_id: str, *, force: bool = False) -> None:
        """Raises StateConflict while the node holds anything and `force` is not given."""
        await self._api.delete(_path(org_id, node_id), force=force or None)

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
