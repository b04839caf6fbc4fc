"""Workers, for the client."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from functools import partial
from typing import Any

from spunto.client.api import Page, json_of, parsed
from spunto.client.errors import NotThere
from spunto.client.inside_workers import AnyWorker, InsideWorkers, worker_path, workers_path
from spunto.client.retry import Repeat
from spunto.client.watching import WaitedTooLong, WorkerGone, has_arrived, watched
from spunto.client.worker_models import AskedWorker, Worker


class Workers(InsideWorkers):
    """A worker is named by itself, as it was answered, or by a WorkerRef."""

    async def list_all(
        self,
        org_id: str,
        *,
        project_id: str | None = None,
        state: str | None = None,
        name: str | None = None,
        node_id: str | None = None,
        user_id: str | None = None,
        tag: str | None = None,
        sort: str | None = None,
        include: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Worker]:
        """Workers of all projects that are all of what is said; `sort` is `-createdAt`, `createdAt`, `name` or `-name`.

        With `include="destroyed"` also those that ended in the last 30 days.
        """
        asked = {"projectId": project_id, "state": state, "name": name, "nodeId": node_id, "userId": user_id}
        path = f"/api/orgs/{org_id}/workers"
        return await self._api.page(
            Worker, path, limit=limit, cursor=cursor, **asked, tag=tag, sort=sort, include=include
        )

    def iter_all(self, org_id: str, **asked: str | None) -> AsyncIterator[Worker]:
        """Every one of them; `asked` are the API's own query parameters, such as `nodeId`."""
        return self._api.pages(Worker, f"/api/orgs/{org_id}/workers", **asked)

    async def list(self, org_id: str, project_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Worker]:
        return await self._api.page(Worker, workers_path(org_id, project_id), limit=limit, cursor=cursor)

    def iter_workers(self, org_id: str, project_id: str) -> AsyncIterator[Worker]:
        return self._api.pages(Worker, workers_path(org_id, project_id))

    async def spawn(
        self,
        org_id: str,
        project_id: str,
        *,
        name: str | None = None,
        node_id: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        grant_secrets: Sequence[str] | None = None,
        without_secrets: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Worker:
        """Ask for a worker; it is `spawning` in the answer.

        `env` wins over the project's variables and secrets. `grant_secrets` lets secrets into this worker alone;
        `without_secrets` leaves out what is lacking. Raises StateConflict `no_node_available`, `grant_needed`.
        """
        wanted = {
            "name": name,
            "nodeId": node_id,
            "tags": None if tags is None else [*tags],
            "metadata": metadata,
            "env": None if env is None else dict(env),
            "grantSecrets": None if grant_secrets is None else list(grant_secrets),
            "withoutSecrets": without_secrets,
        }
        body = {field: value for field, value in wanted.items() if value is not None}
        path = workers_path(org_id, project_id)
        return await self._api.create(Worker, path, body, idempotency_key=idempotency_key)

    async def get(
        self, worker: AnyWorker, *, explain: bool = False, wait_seconds: int | None = None, include: str | None = None
    ) -> Worker:
        """With `wait_seconds`, at most 60, once it has settled, or in time as it is then.

        With `include="destroyed"` also for 30 days after its end.
        """
        asked = {"explain": explain or None, "wait": wait_seconds, "include": include}
        patience_seconds = self._api.timeout_seconds + (wait_seconds or 0)
        answer = await self._api.request("GET", worker_path(worker), params=asked, timeout_seconds=patience_seconds)
        return parsed(Worker, answer)

    async def find(self, org_id: str, worker_id: str) -> Worker:
        """By its id alone, whichever project it is of. Raises NotThere."""
        return parsed(Worker, await self._api.request("GET", f"/api/orgs/{org_id}/workers/{worker_id}"))

    async def update(
        self,
        worker: AnyWorker,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        if_match: str | None = None,
    ) -> Worker:
        """Change what is given; a list is replaced whole.

        With `if_match`, the `etag` of a worker that was got, raises ChangedMeanwhile where it is another one by now.
        """
        given = {"name": name, "tags": None if tags is None else [*tags], "metadata": metadata}
        changes = {field: value for field, value in given.items() if value is not None}
        return await self._api.patch(Worker, worker_path(worker), changes, if_match=if_match)

    async def rename(self, worker: AnyWorker, name: str) -> Worker:
        return await self._api.patch(Worker, worker_path(worker), {"name": name})

    async def set_idle_timeout(self, worker: AnyWorker, seconds: int | None) -> Worker:
        """After how long without use it is stopped; None for never."""
        return await self._api.patch(Worker, worker_path(worker), {"idleTimeoutSeconds": seconds})

    async def keep_alive(self, worker: AnyWorker, *, seconds: int = 0) -> Worker:
        """It counts as used now, and is not stopped by idleness within that time.

        Raises StateConflict `worker_not_running`.
        """
        answer = await self._api.request("POST", f"{worker_path(worker)}/keep-alive", body={"seconds": seconds})
        return parsed(Worker, answer)

    async def stop(self, worker: AnyWorker) -> Worker:
        """Its file system stays."""
        return await self._api.create(Worker, f"{worker_path(worker)}/stop", {})

    async def start(self, worker: AnyWorker) -> Worker:
        return await self._api.create(Worker, f"{worker_path(worker)}/start", {})

    async def rebuild(
        self, worker: AnyWorker, *, grant_secrets: Sequence[str] | None = None, without_secrets: bool | None = None
    ) -> Worker:
        """Make it anew from its project's newest version; `/workspace` stays, and the container before until the new
        one is ready. Raises StateConflict `grant_needed`, `worker_state`, `no_node_available`."""
        wanted = {
            "grantSecrets": None if grant_secrets is None else list(grant_secrets),
            "withoutSecrets": without_secrets,
        }
        body = {field: value for field, value in wanted.items() if value is not None}
        return await self._api.create(Worker, f"{worker_path(worker)}/rebuild", body)

    async def destroy(self, worker: AnyWorker, *, if_match: str | None = None) -> Worker:
        """Ask for its end, with all that it holds; it is `destroying` in the answer. Raises ChangedMeanwhile."""
        return parsed(Worker, await self._api.delete(worker_path(worker), if_match=if_match))

    async def stop_matching(self, org_id: str, **asked: Any) -> Sequence[AskedWorker]:
        """Stop every worker that is all of what is said, each for itself; what was refused has an `error`.

        `asked` are the API's own fields: `state`, `name`, `nodeId`, `projectId`, `userId`, `tag`, or `all=True`.
        """
        return await self._matching(f"/api/orgs/{org_id}/workers/stop", asked)

    async def destroy_matching(self, org_id: str, **asked: Any) -> Sequence[AskedWorker]:
        """The same, for good."""
        return await self._matching(f"/api/orgs/{org_id}/workers/destroy", asked)

    async def _matching(self, path: str, asked: Mapping[str, Any]) -> Sequence[AskedWorker]:
        """Page by page. Not repeated after a lost answer, because by then others may fit."""
        done: list[AskedWorker] = []
        body = {field: value for field, value in asked.items() if value is not None}
        while True:
            answer = json_of(await self._api.request("POST", path, body=body, repeat=Repeat.REFUSED))
            done += [AskedWorker.model_validate(each) for each in answer.get("items", ())]
            if answer.get("nextCursor") is None:
                return done
            body = {**body, "cursor": answer["nextCursor"]}

    def watch_worker(self, worker: AnyWorker, *, explain: bool = False) -> AsyncIterator[Worker]:
        """The worker as it is and after every change, until it is gone."""
        return watched(partial(self.get, worker, explain=explain), clock=self._api.clock)

    async def wait_for_worker(
        self,
        worker: AnyWorker,
        *,
        until: Set[str] = frozenset({"ready"}),
        timeout_seconds: float = 900.0,
        on_change: Callable[[Worker], None] = lambda _: None,
    ) -> Worker:
        """The worker once it is in one of the states `until`.

        Raises WorkerSettledElsewhere, WaitedTooLong, WorkerGone, NotThere.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                async for seen in self.watch_worker(worker):
                    on_change(seen)
                    if has_arrived(seen, until=until):
                        return seen
        except TimeoutError as error:
            raise WaitedTooLong(worker.id, timeout_seconds=timeout_seconds) from error
        raise WorkerGone(worker.id)

    async def wait_until_gone(self, worker: AnyWorker, *, timeout_seconds: float = 300.0) -> None:
        """Raises WaitedTooLong; a worker that isn't there is gone."""
        try:
            async with asyncio.timeout(timeout_seconds):
                async for _ in self.watch_worker(worker):
                    pass
        except TimeoutError as error:
            raise WaitedTooLong(worker.id, timeout_seconds=timeout_seconds) from error
        except NotThere:
            return
