"""What a command works with: the client, the output and the organization that it is about."""

from dataclasses import dataclass

from spunto.client.client import SpuntoClient
from spunto.client.errors import NotAllowed
from spunto.client.nodes import Node
from spunto.client.projects import Project
from spunto.client.worker_models import Worker
from spunto.core.kernel.ids import is_id
from spunto.entrypoints.cli import resolve
from spunto.entrypoints.cli.output import Output


@dataclass(slots=True, kw_only=True)
class Session:
    """Things are looked up when a command first asks for them."""

    client: SpuntoClient
    out: Output
    org: str | None

    async def org_id(self) -> str:
        if self.org is None or not is_id(self.org, "org"):
            self.org = await resolve.find_org_id(self.client, self.org)
        return self.org

    async def project(self, wanted: str | None) -> Project:
        return await resolve.find_project(self.client, await self.org_id(), wanted)

    async def project_id(self, wanted: str | None) -> str:
        """Also with a key that may not read projects, where the id is given."""
        try:
            return (await self.project(wanted)).id
        except NotAllowed as refusal:
            return _as_given(wanted, "prj", refusal)

    async def node(self, wanted: str) -> Node:
        return await resolve.find_node(self.client, await self.org_id(), wanted)

    async def node_id(self, wanted: str) -> str:
        """Also with a key that may not read nodes, where the id is given."""
        try:
            return (await self.node(wanted)).id
        except NotAllowed as refusal:
            return _as_given(wanted, "nod", refusal)

    async def worker(self, wanted: str) -> Worker:
        return await resolve.find_worker(self.client, await self.org_id(), wanted)


def _as_given(wanted: str | None, prefix: str, refusal: NotAllowed) -> str:
    if wanted is None or not is_id(wanted, prefix) or refusal.code != "missing_scope":
        raise refusal
    return wanted
