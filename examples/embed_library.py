"""Spunto as a library: one of your own programs keeps projects and workers in a SQLite file, with no server around it.

    .venv/bin/python examples/embed_library.py [file]

Without a file the database and its keyring are made in a temporary directory, and go when the program ends.

The services are the same that the HTTP API calls; permissions, versions and placement hold here, too. Without a node
there is nothing to run a worker on: the program then says for each node why not.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import Conflict
from spunto.core.kernel.paging import PageRequest
from spunto.core.projects.model import Environment, Project
from spunto.entrypoints.library import Spunto

IMAGE = "localhost/spunto/worker:1"


async def main(file: Path) -> list[str]:
    """What was done, line by line."""
    told = []
    async with Spunto.sqlite(file) as spunto:
        owner, organization = await spunto.bootstrap()
        told.append(f"organization {organization.name}")

        project = await ensure_project(spunto, owner, organization.id)
        told.append(f"project {project.name} v{project.number} with {project.environment.image}")

        nodes = await spunto.nodes.list(owner, organization.id, PageRequest())
        if not nodes.items:
            made = await spunto.nodes.create(owner, organization.id, name="laptop")
            told.append(f"node {made.node.name}; start its agent with the token {made.token.reveal()[:8]}…")

        try:
            view = await spunto.workers.spawn(owner, organization.id, project.id)
            told.append(f"worker {view.worker.name} is {view.worker.state}")
        except Conflict as conflict:
            told.append(f"no worker: {conflict.message}")
    return told


async def ensure_project(spunto: Spunto, owner: Actor, org_id: OrgId) -> Project:
    """The project `hello`; whatever is changed of its environment makes a new version."""
    environment = Environment(image=IMAGE, env={"GREETING": "hello"})
    found = [each for each in (await spunto.projects.list(owner, org_id, PageRequest())).items if each.name == "hello"]
    if not found:
        return await spunto.projects.create(owner, org_id, name="hello", environment=environment)
    return await spunto.projects.update(owner, org_id, found[0].id, {"env": {"GREETING": "hello again"}})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        database = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(directory) / "example.db"
        print("\n".join(asyncio.run(main(database))))
