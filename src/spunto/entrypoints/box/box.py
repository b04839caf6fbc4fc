"""What a single box has on top of a server: its owner, its own node, and with `--demo` something to enter."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import structlog

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import SpuntoError, Unauthenticated
from spunto.core.kernel.paging import PageRequest
from spunto.core.kernel.secret import Secret
from spunto.core.nodes.model import Node, NodeStatus
from spunto.core.nodes.sync import topic
from spunto.core.projects.model import Environment, Project
from spunto.core.specs.token import token_hash
from spunto.entrypoints.library import Spunto

DEFAULT_IMAGE = "localhost/spunto/worker:1"
LOCAL_NODE = "local"
DEMO_PROJECT = "hello"
_OWNER_TOKEN_LIFETIME = timedelta(days=365)
_POLL_SECONDS = 5.0
_ONLINE_SECONDS = 120.0

log = structlog.get_logger()


def owner_token_file(data_dir: Path) -> Path:
    return data_dir / "owner.token"


def node_token_file(data_dir: Path) -> Path:
    return data_dir / "agent" / "token"


class Box:
    """Makes sure of everything, on every start; what is there already is left alone."""

    def __init__(self, spunto: Spunto, data_dir: Path) -> None:
        self._spunto = spunto
        self._data_dir = data_dir

    async def prepare(self) -> Secret:
        """Owner, token file and node; the answer is a code for the one-time sign-in URL."""
        owner, organization = await self._spunto.bootstrap()
        await self._ensure_owner_token(owner)
        await self._ensure_node(owner, organization.id)
        assert owner.user_id is not None  # noqa: S101 - the bootstrap's owner is a person
        return await self._spunto.access.issue_code(owner.user_id)

    async def prepare_demo(self) -> None:
        """A project, and a worker of it as soon as a node is online."""
        owner, organization = await self._spunto.bootstrap()
        project = await self._ensure_demo_project(owner, organization.id)
        try:
            await self._ensure_demo_worker(owner, organization.id, project)
        except (SpuntoError, TimeoutError) as error:
            log.warning("demo_worker_not_spawned", reason=str(error) or "no node came online in time")

    async def _ensure_owner_token(self, owner: Actor) -> None:
        file = owner_token_file(self._data_dir)
        try:
            await self._spunto.access.authenticate(Secret(file.read_text().strip()))
        except (FileNotFoundError, Unauthenticated):
            assert owner.user_id is not None  # noqa: S101 - the bootstrap's owner is a person
            opened = await self._spunto.access.open_session(owner.user_id, lifetime=_OWNER_TOKEN_LIFETIME, idle=None)
            _write_private(file, opened.token)

    async def _ensure_node(self, owner: Actor, org_id: OrgId) -> None:
        file = node_token_file(self._data_dir)
        node = await self._find_node(owner, org_id)
        if node is None:
            made = await self._spunto.nodes.create(owner, org_id, name=LOCAL_NODE)
            _write_private(file, made.token)
        elif not file.exists() or token_hash(Secret(file.read_text().strip())) != node.token_hash:
            made = await self._spunto.nodes.rotate_token(owner, org_id, node.id)
            _write_private(file, made.token)

    async def _find_node(self, owner: Actor, org_id: OrgId) -> Node | None:
        page = await self._spunto.nodes.list(owner, org_id, PageRequest(limit=200))
        return next((node for node in page.items if node.name == LOCAL_NODE), None)

    async def _ensure_demo_project(self, owner: Actor, org_id: OrgId) -> Project:
        page = await self._spunto.projects.list(owner, org_id, PageRequest(limit=200))
        for project in page.items:
            if project.name == DEMO_PROJECT:
                return project
        return await self._spunto.projects.create(
            owner,
            org_id,
            name=DEMO_PROJECT,
            description="A first project: a small Debian with git, Python and tmux.",
            environment=Environment(image=DEFAULT_IMAGE),
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


def _write_private(file: Path, token: Secret) -> None:
    """Mode 0600 from the first byte on, and never half a file."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{token.reveal()}\n")
    fresh.replace(file)
