"""Use cases of workers: what should be. Nodes make it so, the reconciler tells how far they are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from typing_extensions import Unpack

from spunto.core.access.model import Actor, OrgId, Tenant
from spunto.core.access.policy import Action
from spunto.core.activity.model import Auditor
from spunto.core.kernel.clock import Clock
from spunto.core.kernel.derived import Derived
from spunto.core.kernel.idempotency import IdempotencyKey, Once
from spunto.core.kernel.ids import Ids
from spunto.core.kernel.marks import require_marks
from spunto.core.kernel.paging import Page, PageRequest
from spunto.core.kernel.preconditions import Precondition
from spunto.core.kernel.uow import UnitOfWork, retried
from spunto.core.nodes.links import NodeLinks
from spunto.core.nodes.model import NodeId
from spunto.core.nodes.sync import topic as node_topic
from spunto.core.projects.model import Project, ProjectId
from spunto.core.projects.variables import require_env
from spunto.core.routes.hosts import Addresses
from spunto.core.scheduling.placing import place, take_room
from spunto.core.workers import factory, saving
from spunto.core.workers.assigned import asking_to_stop
from spunto.core.workers.changes import Changes, require_changes
from spunto.core.workers.explain import Explanation, explain
from spunto.core.workers.idle import KIND as IDLENESS
from spunto.core.workers.listing import ALL, Listed, WorkerFilter
from spunto.core.workers.looks import Looks
from spunto.core.workers.model import Activity, Worker, WorkerId, WorkerState
from spunto.core.workers.owned import of_project, own_or_administered, require_grantor
from spunto.core.workers.ports import WorkersTransaction
from spunto.core.workers.rebuild import rebuilt
from spunto.core.workers.reconcile import topic as worker_topic
from spunto.core.workers.secrets import Wishes, names_for
from spunto.core.workers.views import WorkerView, view_of, views_of, with_output

NO_WISHES = Wishes()
MOST_PAGES = 256


class WorkerService:
    def __init__(
        self,
        uow: UnitOfWork[WorkersTransaction],
        *,
        links: NodeLinks,
        looks: Looks,
        auditor: Auditor,
        clock: Clock,
        ids: Ids,
        addresses: Addresses,
    ) -> None:
        self._uow = uow
        self._links = links
        self._looks = looks
        self._clock = clock
        self._ids = ids
        self._auditor = auditor
        self._addresses = addresses
        self._pages: Derived[Page[Listed], Page[WorkerView]] = Derived(capacity=MOST_PAGES)

    @retried
    async def spawn(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId,
        *,
        node_id: NodeId | None = None,
        name: str | None = None,
        branch: str | None = None,
        tags: tuple[str, ...] = (),
        metadata: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Wishes = NO_WISHES,
        idempotency: IdempotencyKey | None = None,
    ) -> WorkerView:
        """Place a worker made from the project's newest version; it is `spawning` until its node says it runs.

        `env` wins over the project's variables and over secrets. Raises Conflict `no_node_available` with
        `nodes: [{nodeId, name, reason}]`, `worker_name_taken`, `grant_needed` with `names`; Invalid `env_too_large`,
        `env_name_reserved`, `name_invalid`, `tags_invalid`, `metadata_invalid`.
        """
        tenant = actor.require(Action.WORKER_SPAWN, org_id=org_id)
        require_grantor(actor, secrets)
        require_marks(tags, metadata)
        now = self._clock.now()
        async with self._uow() as tx:
            once = Once(tx.idempotency, f"{project_id}/workers", idempotency, now=now)
            made = await once.made()
            project = await tx.projects.get(tenant, project_id)
            if made is not None:
                return await self._view(tx, tenant, await tx.workers.get(tenant, WorkerId(made)), project)
            variables = dict(env or {})
            require_env({**project.environment.env, **variables})
            secret_names = await names_for(tx, tenant, project, secrets, replaced=variables)
            placed_on = await place(tx, tenant, factory.request_for(project.environment, node_id=node_id))
            worker = factory.new_worker(
                WorkerId(self._ids.new("wkr")),
                project,
                actor,
                index=await tx.projects.next_index(project_id),
                node_id=placed_on,
                name=name,
                branch=branch,
                tags=tags,
                metadata=metadata or {},
                env=variables,
                granted=secrets.granted,
                now=now,
            )
            await saving.add(tx, worker, at=now, sharing=project.sharing)
            first = factory.first_assignment(
                worker,
                project.environment,
                addresses=self._addresses,
                secret_names=secret_names,
                cause=actor.request_id,
            )
            await tx.assignments.add(first)
            await tx.due.add("worker", worker.id, at=worker.deadline_at or now)
            detail = {"name": worker.name, "projectId": project_id, "nodeId": placed_on}
            await self._auditor.record(tx, tenant, Action.WORKER_SPAWN, worker.id, **detail)
            # What is not connected is never chosen.
            view = view_of(tenant, worker, project.number, is_reachable=True, addresses=self._addresses)
            await once.makes(worker.id, view)
            tx.hint(node_topic(placed_on))
            await tx.commit()
        return view

    async def list(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        page: PageRequest,
        matching: WorkerFilter = ALL,
    ) -> Page[WorkerView]:
        """Those of one project, or of all of them. The same page, also as an object, where nothing that is shown has
        changed since the owner behind the actor asked before."""
        tenant = actor.require(Action.WORKER_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            workers = await tx.workers.list(tenant, project_id, page, matching)
            if project_id is not None and not workers.items:
                # Nothing in it, or no such project.
                await tx.projects.get(tenant, project_id)
        return self._pages.of(workers, tenant.actor.owner_id, lambda: views_of(tenant, workers, self._addresses))

    async def get(self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> WorkerView:
        """With the output of its set-up for its owner, and for admins, whose looks are audited."""
        tenant = actor.require(Action.WORKER_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            worker = await of_project(tx, tenant, project_id, worker_id)
            project = await tx.projects.get(tenant, worker.project_id)
            view = await self._view(tx, tenant, worker, project)
        return await with_output(self._looks, tenant, worker, view)

    async def explain(
        self, actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId
    ) -> tuple[WorkerView, Explanation]:
        """The worker and why it is as it is: wanted against observed, what blocks, and what happens next and when."""
        tenant = actor.require(Action.WORKER_READ, org_id=org_id)
        async with self._uow.reading() as tx:
            worker = await of_project(tx, tenant, project_id, worker_id)
            project = await tx.projects.get(tenant, worker.project_id)
            assignment = await tx.assignments.find(worker_id)
            node = await tx.nodes.find(worker.node_id)
            view = await self._view(tx, tenant, worker, project)
        view = await with_output(self._looks, tenant, worker, view)
        explained = explain(worker, assignment, node)
        if explained.observed is None:
            return view, explained
        return view, replace(explained, observed=replace(explained.observed, setup=view.worker.setup))

    @retried
    async def stop(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        *,
        idempotency: IdempotencyKey | None = None,
    ) -> WorkerView:
        """Have the container stopped, its file system kept. A stopping or stopped worker stays as it is."""
        tenant = actor.require(Action.WORKER_STOP, org_id=org_id)
        async with self._uow() as tx:
            once = Once(tx.idempotency, f"{worker_id}/stop", idempotency, now=self._clock.now())
            made = await once.made()
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            project = await tx.projects.get(tenant, worker.project_id)
            if made is not None or worker.state in (WorkerState.STOPPING, WorkerState.STOPPED):
                return await self._unchanged(tx, tenant, worker, project, once if made is None else None)
            worker = worker.moved(WorkerState.STOPPING, at=self._clock.now())
            assignment = await factory.assignment_of(tx, worker)
            asked = asking_to_stop(assignment, at=self._clock.now(), cause=actor.request_id)
            await tx.assignments.update(asked)
            return await self._save(tx, tenant, Action.WORKER_STOP, worker, project, once)

    @retried
    async def start(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        *,
        idempotency: IdempotencyKey | None = None,
    ) -> WorkerView:
        """Have it run again on its node. A starting or ready worker stays as it is.

        Raises Conflict `no_node_available` when its node has no room any more.
        """
        tenant = actor.require(Action.WORKER_START, org_id=org_id)
        async with self._uow() as tx:
            once = Once(tx.idempotency, f"{worker_id}/start", idempotency, now=self._clock.now())
            made = await once.made()
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            project = await tx.projects.get(tenant, worker.project_id)
            if made is not None or worker.state in (WorkerState.SPAWNING, WorkerState.STARTING, WorkerState.READY):
                return await self._unchanged(tx, tenant, worker, project, once if made is None else None)
            assignment = await factory.assignment_of(tx, worker)
            asked = factory.started(assignment, at=self._clock.now(), cause=actor.request_id)
            if not assignment.reserves:
                await take_room(tx, tenant, worker.node_id, asked.demand)
            await tx.assignments.update(asked)
            now = self._clock.now()
            worker = worker.moved(WorkerState.STARTING, at=now).used(Activity.START, at=now)
            return await self._save(tx, tenant, Action.WORKER_START, worker, project, once)

    @retried
    async def rebuild(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        *,
        secrets: Wishes = NO_WISHES,
        idempotency: IdempotencyKey | None = None,
    ) -> WorkerView:
        """Have it made anew from the project's newest version; `/workspace` stays.

        The container before is stopped first, and kept until the new one is ready; where that fails it runs again, and
        the worker's problem says why. Raises Conflict `worker_state`, `grant_needed`, `no_node_available` where its
        node has no room for the larger of both.
        """
        tenant = actor.require(Action.WORKER_REBUILD, org_id=org_id)
        require_grantor(actor, secrets)
        async with self._uow() as tx:
            once = Once(tx.idempotency, f"{worker_id}/rebuild", idempotency, now=self._clock.now())
            made = await once.made()
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            project = await tx.projects.get(tenant, worker.project_id)
            if made is not None:
                return await self._unchanged(tx, tenant, worker, project, None)
            if secrets.granted:
                tenant.require_own(user_id=worker.user_id, api_key_id=worker.api_key_id)
            require_env({**project.environment.env, **worker.env})
            names = await names_for(tx, tenant, project, secrets, replaced=worker.env, owner=worker)
            assignment = await factory.assignment_of(tx, worker)
            asked = rebuilt(
                worker,
                assignment,
                project,
                secret_names=names,
                granted=secrets.granted,
                addresses=self._addresses,
                at=self._clock.now(),
                cause=actor.request_id,
            )
            if not assignment.reserves or asked.assignment.demand != assignment.demand:
                if assignment.reserves:
                    await tx.nodes.release(worker.node_id, assignment.demand)
                await take_room(tx, tenant, worker.node_id, asked.assignment.demand)
            await tx.assignments.update(replace(asked.assignment, reserves=True))
            return await self._save(tx, tenant, Action.WORKER_REBUILD, asked.worker, project, once)

    @retried
    async def destroy(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        *,
        precondition: Precondition | None = None,
    ) -> WorkerView:
        """Have container, network, volume and at last the record removed; from every state, node away or not.

        Raises PreconditionFailed.
        """
        tenant = actor.require(Action.WORKER_DESTROY, org_id=org_id)
        async with self._uow() as tx:
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            project = await tx.projects.get(tenant, worker.project_id)
            await self._require(precondition, tx, tenant, worker, project)
            if worker.state is WorkerState.DESTROYING:
                return await self._view(tx, tenant, worker, project)
            assignment = await tx.assignments.find(worker_id)
            if assignment is not None:
                absent = assignment.asking_absent(at=self._clock.now(), cause=actor.request_id)
                await tx.assignments.update(absent)
            worker = worker.moved(WorkerState.DESTROYING, at=self._clock.now())
            await tx.due.add("worker", worker.id, at=self._clock.now())
            return await self._save(tx, tenant, Action.WORKER_DESTROY, worker, project)

    @retried
    async def update(
        self,
        actor: Actor,
        org_id: OrgId,
        project_id: ProjectId | None,
        worker_id: WorkerId,
        *,
        precondition: Precondition | None = None,
        **changes: Unpack[Changes],
    ) -> WorkerView:
        """Change what is named. Raises Conflict `worker_name_taken`, Invalid as `spawn` does, PreconditionFailed."""
        tenant = actor.require(Action.WORKER_UPDATE, org_id=org_id)
        require_changes(changes)
        async with self._uow() as tx:
            worker = await own_or_administered(tx, tenant, project_id, worker_id)
            project = await tx.projects.get(tenant, worker.project_id)
            await self._require(precondition, tx, tenant, worker, project)
            now, changed = self._clock.now(), replace(worker, **changes)
            if "idle_timeout_seconds" in changes:
                # The new time begins now: whoever sets it wants the worker.
                changed = changed.used(Activity.KEEP_ALIVE, at=now)
            worker = await saving.save(tx, changed, at=now)
            if worker.stops_at is not None:
                await tx.due.add(IDLENESS, worker.id, at=worker.stops_at)
            detail = {"name": worker.name, "projectId": worker.project_id}
            await self._auditor.record(tx, tenant, Action.WORKER_UPDATE, worker.id, **detail)
            tx.hint(worker_topic(worker.id))
            view = await self._view(tx, tenant, worker, project)
            await tx.commit()
        return view

    async def _require(
        self,
        precondition: Precondition | None,
        tx: WorkersTransaction,
        tenant: Tenant,
        worker: Worker,
        project: Project,
    ) -> None:
        if precondition is not None:
            precondition.require(await self._view(tx, tenant, worker, project))

    async def _save(
        self,
        tx: WorkersTransaction,
        tenant: Tenant,
        action: Action,
        worker: Worker,
        project: Project,
        once: Once | None = None,
    ) -> WorkerView:
        """Write the worker with its next generation, its deadline and the audit entry; tell the node."""
        saved = await saving.save(tx, replace(worker, generation=worker.generation + 1), at=self._clock.now())
        await tx.due.add("worker", saved.id, at=saved.deadline_at or self._clock.now())
        detail = {"name": saved.name, "projectId": saved.project_id, "state": saved.state.value}
        await self._auditor.record(tx, tenant, action, saved.id, **detail)
        tx.hint(node_topic(saved.node_id))
        tx.hint(worker_topic(saved.id))
        view = await self._view(tx, tenant, saved, project)
        if once is not None:
            await once.makes(saved.id, view)
        await tx.commit()
        return view

    async def _unchanged(
        self, tx: WorkersTransaction, tenant: Tenant, worker: Worker, project: Project, once: Once | None
    ) -> WorkerView:
        """The worker as it stands, and that this is what the request was answered."""
        view = await self._view(tx, tenant, worker, project)
        if once is not None:
            await once.makes(worker.id, view)
            await tx.commit()
        return view

    async def _view(self, tx: WorkersTransaction, tenant: Tenant, worker: Worker, project: Project) -> WorkerView:
        """Nothing is asked about a node that is connected here."""
        is_reachable = self._links.find(worker.node_id) is not None or await tx.nodes.is_connected(worker.node_id)
        return view_of(tenant, worker, project.number, is_reachable=is_reachable, addresses=self._addresses)
