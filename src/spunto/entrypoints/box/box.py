"""What a single box has on top of a server: its owner, its own node, and with `--demo` something to enter."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import structlog

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import NotFound, SpuntoError, Unauthenticated
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import Node, NodeId, NodeStatus
from spunto.core.nodes.sync import topic
from spunto.core.projects.model import Environment, Project
from spunto.core.specs.token import token_hash
from spunto.entrypoints.box.places import edge_token_file, node_token_file, owner_token_file, url_file
from spunto.entrypoints.library import Spunto

LOCAL_NODE = "local"
LOCAL_EDGE = "local"
DEMO_PROJECT = "hello"
_OWNER_TOKEN_LIFETIME = timedelta(days=365)
_POLL_SECONDS = 5.0
_ONLINE_SECONDS = 120.0

T = TypeVar("T")

log = structlog.get_logger()


class Box:
    """Makes sure of everything, on every start; what is there already is left alone."""

    def __init__(self, spunto: Spunto, data_dir: Path) -> None:
        self._spunto = spunto
        self._data_dir = data_dir
        self._own: tuple[Actor, OrgId, NodeId] | None = None
        self._is_complete = False

    async def prepare(self, url: str) -> Secret:
        """Owner, files and node; the answer is a code for the one-time sign-in URL."""
        owner, organization = await self._spunto.bootstrap()
        await self._ensure_owner_token(owner)
        _write_private(url_file(self._data_dir), url)
        self._own = (owner, organization.id, await self._ensure_node(owner, organization.id))
        await self._ensure_edge()
        assert owner.user_id is not None  # noqa: S101 - the bootstrap's owner is a person
        return await self._spunto.access.issue_code(owner.user_id)

    async def prepare_demo(self, image: str) -> None:
        """A project of that image, and a worker of it as soon as a node is online; the box goes on without them."""
        try:
            owner, organization = await self._spunto.bootstrap()
            project = await self._ensure_demo_project(owner, organization.id, image)
            await self._ensure_demo_worker(owner, organization.id, project)
        except (SpuntoError, TimeoutError) as error:
            log.warning("demo_not_there", reason=str(error) or "no node came online in time")

    async def node_missing(self) -> str | None:
        """Why the box's own node can't be used yet; None once it has been there. Raises SpuntoError."""
        if self._is_complete or self._own is None:
            return None
        try:
            node = await self._spunto.nodes.get(*self._own)
        except NotFound:
            # Somebody removed it, and the box is as they want it.
            return None
        if node.status is NodeStatus.PROVISIONING or node.agent is None:
            return f"The node {node.name} has not connected yet."
        if node.agent.engine_problem is not None:
            return f"The node {node.name} has no engine: {node.agent.engine_problem.message}"
        if node.status is NodeStatus.OFFLINE:
            return f"The node {node.name} is not connected."
        self._is_complete = True
        return None

    async def _ensure_owner_token(self, owner: Actor) -> None:
        file = owner_token_file(self._data_dir)
        try:
            await self._spunto.access.authenticate(Secret(file.read_text().strip()))
        except (FileNotFoundError, Unauthenticated):
            assert owner.user_id is not None  # noqa: S101 - the bootstrap's owner is a person
            opened = await self._spunto.access.open_session(owner.user_id, lifetime=_OWNER_TOKEN_LIFETIME, idle=None)
            _write_private(file, opened.token.reveal())

    async def _ensure_node(self, owner: Actor, org_id: OrgId) -> NodeId:
        file = node_token_file(self._data_dir)
        node = await self._find_node(owner, org_id)
        if node is None:
            made = await self._spunto.nodes.create(owner, org_id, name=LOCAL_NODE)
            _write_private(file, made.token.reveal())
            return made.node.id
        if not file.exists() or token_hash(Secret(file.read_text().strip())) != node.token_hash:
            made = await self._spunto.nodes.rotate_token(owner, org_id, node.id)
            _write_private(file, made.token.reveal())
        return node.id

    async def _ensure_edge(self) -> None:
        """The box's own front door; a token that was lost is replaced."""
        file = edge_token_file(self._data_dir)
        edge = next((each for each in await self._spunto.edges.all() if each.name == LOCAL_EDGE), None)
        if edge is not None:
            if file.exists() and token_hash(Secret(file.read_text().strip())) == edge.token_hash:
                return
            await self._spunto.edges.remove(edge.id)
        _, token = await self._spunto.edges.create(LOCAL_EDGE)
        _write_private(file, token.reveal())

    async def _find_node(self, owner: Actor, org_id: OrgId) -> Node | None:
        nodes = _all(lambda page: self._spunto.nodes.list(owner, org_id, page))
        return await anext((node async for node in nodes if node.name == LOCAL_NODE), None)

    async def _ensure_demo_project(self, owner: Actor, org_id: OrgId, image: str) -> Project:
        projects = _all(lambda page: self._spunto.projects.list(owner, org_id, page))
        found = await anext((project async for project in projects if project.name == DEMO_PROJECT), None)
        if found is not None:
            return found
        return await self._spunto.projects.create(
            owner,
            org_id,
            name=DEMO_PROJECT,
            description="A first project: a small Debian with git, Python and tmux.",
            environment=Environment(image=image),
        )

    async def _ensure_demo_worker(self, owner: Actor, org_id: OrgId, project: Project) -> None:
        page = await self._spunto.workers.list(owner, org_id, project.id, PageRequest(limit=1))
        if page.items:
            return
        async with asyncio.timeout(_ONLINE_SECONDS):
            await self._wait_for_node(owner, org_id)
        await self._spunto.workers.spawn(owner, org_id, project.id)

    async def _wait_for_node(self, owner: Actor, org_id: OrgId) -> None:
        node = await self._find_node(owner, org_id)
        if node is None:
            return
        with self._spunto.wakeups.subscribe(topic(node.id)) as wakeup:
            while (await self._spunto.nodes.get(owner, org_id, node.id)).status is not NodeStatus.ONLINE:
                await wakeup.wait(max_seconds=_POLL_SECONDS)


async def _all(page_of: Callable[[PageRequest], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    """Every item of a list, page by page."""
    before: str | None = None
    while True:
        page = await page_of(PageRequest(limit=200, before=before))
        for item in page.items:
            yield item
        before = page.next_before
        if before is None:
            return


def _write_private(file: Path, text: str) -> None:
    """Mode 0600 from the first byte on, and never half a file."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{text}\n")
    fresh.replace(file)
