"""A house with everything behind it: simulated nodes, a project, and workers that can be entered."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from quart.wrappers import Response
from tests.unit.entrypoints.http.house import House, Person, house_of, json_of, problem_of

from spunto.core.access.policy import Role
from spunto.core.specs.worker import container_name
from spunto.testing.harness import Harness
from spunto.testing.node import SimulatedNode


@dataclass(slots=True, kw_only=True)
class Site:
    """The owner's view of it, over HTTP."""

    harness: Harness
    house: House
    owner: Person

    @property
    def org(self) -> str:
        return f"/api/orgs/{self.owner.org_id}"

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        by: Person | None = None,
    ) -> Response:
        return await self.house.call(by or self.owner, method, path, body, headers=headers)

    async def json(self, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Any:
        """The answer's body, when it is a success of that status."""
        response = await self.call(method, path, body, **more)
        assert response.status_code == status, await response.get_data(as_text=True)
        return await json_of(response)

    async def problem(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Status and code of the refusal."""
        problem = await problem_of(await self.call(method, path, body, **more))
        return problem["status"], problem["code"]

    async def member(self, name: str, *, role: Role = Role.MEMBER) -> Person:
        return await self.house.person(name, role=role, org_id=self.owner.org_id)

    async def project(self, name: str = "hello", **environment: Any) -> str:
        """The path of a new project."""
        project = await self.harness.add_project(name, **environment)
        return f"{self.org}/projects/{project.id}"

    async def worker(self, project: str | None = None, **wishes: Any) -> str:
        """The path of a worker that is ready."""
        project = project or await self.project()
        worker = await self.json("POST", f"{project}/workers", wishes, status=202)
        await self.harness.settle()
        path = f"{project}/workers/{worker['id']}"
        assert (await self.json("GET", path))["state"] == "ready"
        return path


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


def container_of(worker: str) -> str:
    return container_name(id_of(worker))


def without(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


@asynccontextmanager
async def open_site(**changes: Any) -> AsyncIterator[Site]:
    async with Harness() as harness:
        house = house_of(harness.spunto, harness.spunto._store, harness.clock, **changes)
        assert harness.owner.user_id is not None
        opened = await harness.spunto.access.open_session(harness.owner.user_id)
        owner = Person(user_id=harness.owner.user_id, org_id=harness.organization.id, token=opened.token.reveal())
        yield Site(harness=harness, house=house, owner=owner)


async def a_node(site: Site, name: str = "one", **settings: Any) -> SimulatedNode:
    return await site.harness.add_node(name, **settings)
