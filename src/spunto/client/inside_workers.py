"""What goes on inside a worker, for the client: its log, ports and repositories, commands, terminals and tunnels."""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from spunto.client.api import Api, json_of, parsed
from spunto.client.errors import UnexpectedAnswer
from spunto.client.log_lines import LogLine, lines_of, rfc3339
from spunto.client.retry import Repeat
from spunto.client.worker_models import ExecResult, GitStatus, Port, Stats, TerminalSession, Worker, WorkerRef

# The server answers an exec that ran out of time by itself; the client only waits a little longer for that.
_EXEC_GRACE_SECONDS = 15.0
_GIT_STATUS_SECONDS = 90.0

if TYPE_CHECKING:
    from spunto.client.terminal import Terminal
    from spunto.client.tunnel import Tunnel

AnyWorker = Worker | WorkerRef


class InsideWorkers:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def logs(
        self, worker: AnyWorker, *, tail: int = 200, since: datetime | None = None, timestamps: bool = False
    ) -> str:
        """The end of its log as text."""
        params = {"tail": tail, "since": rfc3339(since), "timestamps": timestamps or None}
        headers = {"Accept": "text/plain"}
        return (await self._api.request("GET", f"{worker_path(worker)}/logs", params=params, headers=headers)).text

    async def log_lines(
        self, worker: AnyWorker, *, tail: int = 200, since: datetime | None = None
    ) -> Sequence[LogLine]:
        """The end of its log, line by line with time and stream."""
        params = {"tail": tail, "since": rfc3339(since)}
        headers = {"Accept": "application/x-ndjson"}
        answer = await self._api.request("GET", f"{worker_path(worker)}/logs", params=params, headers=headers)
        return lines_of(answer.text)

    def follow_logs(
        self, worker: AnyWorker, *, tail: int = 200, since: datetime | None = None
    ) -> AsyncIterator[LogLine]:
        """Its log as it is written; goes on after a lost connection without repeating a line."""
        # Few open a WebSocket, and its library takes a while to import; so in what follows.
        from spunto.client.logs import followed

        socket = partial(self._socket, worker, "logs")
        return followed(socket, tail=tail, since=since, clock=self._api.clock)

    async def stats(self, worker: AnyWorker) -> Stats:
        """Raises NotNow `worker_not_running`."""
        return await self._api.get(Stats, f"{worker_path(worker)}/stats")

    async def git_status(self, worker: AnyWorker) -> GitStatus:
        """The state of every repository below /workspace. Raises StateConflict `tool_missing`."""
        path = f"{worker_path(worker)}/git-status"
        answer = await self._api.request("GET", path, timeout_seconds=_GIT_STATUS_SECONDS)
        return parsed(GitStatus, answer)

    async def ports(self, worker: AnyWorker) -> Sequence[Port]:
        answer = json_of(await self._api.request("GET", f"{worker_path(worker)}/ports"))
        return [Port.model_validate(port) for port in answer.get("items", ())]

    async def exec(
        self,
        worker: AnyWorker,
        command: str | Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None,
        user: str | None = None,
        timeout_seconds: float = 60.0,
    ) -> ExecResult:
        """Run a command and wait for its end; text is given to `sh -c`. Never sent twice, as it might run twice.

        Raises InvalidRequest for more than 512 KiB of `stdin`.
        """
        typed = stdin.encode() if isinstance(stdin, str) else stdin
        sent = None if typed is None else b64encode(typed).decode()
        given = {"cwd": cwd, "env": None if env is None else dict(env), "stdin": sent, "user": user}
        body: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
        body["encoding"] = "base64"
        body["command"] = command if isinstance(command, str) else [*command]
        answer = await self._api.request(
            "POST",
            f"{worker_path(worker)}/exec",
            body={**body, "timeoutSeconds": timeout_seconds},
            repeat=Repeat.UNSENT,
            timeout_seconds=timeout_seconds + _EXEC_GRACE_SECONDS,
        )
        return parsed(ExecResult, answer)

    def terminal(
        self,
        worker: AnyWorker,
        *,
        cols: int = 80,
        rows: int = 24,
        name: str | None = None,
        session: str | None = None,
    ) -> "Terminal":
        """A shell in the worker, to be entered with `async with`: a new one, or the one that has that name, and so has
        it if it is new. `session` is one that goes on; it is shown from the oldest byte that is kept."""
        from spunto.client.terminal import Terminal

        dial = partial(self._socket, worker, "terminal")
        return Terminal(dial, clock=self._api.clock, cols=cols, rows=rows, name=name, session=session)

    async def terminals(self, worker: AnyWorker) -> Sequence[TerminalSession]:
        """Those whose shell goes on, oldest first. Raises NotNow `agent_too_old`."""
        answer = json_of(await self._api.request("GET", f"{worker_path(worker)}/terminals"))
        return [TerminalSession.model_validate(each) for each in answer.get("items", ())]

    async def end_terminal(self, worker: AnyWorker, session: str) -> None:
        """Hang it up. Raises NotFound `terminal_not_found`."""
        await self._api.request("DELETE", f"{worker_path(worker)}/terminals/{session}")

    async def tunnel(self, worker: AnyWorker, port: int) -> "Tunnel":
        """A connection to one of its ports, for any protocol; to be closed by `aclose`. A stopped worker starts by it.

        Raises NotNow: `nobody_listens`, `worker_starting`, …
        """
        from spunto.client.tunnel import open_tunnel

        urls = getattr(worker, "urls", None) or (await self._api.get(Worker, worker_path(worker))).urls
        if urls is None:
            raise UnexpectedAnswer("unexpected_answer", "The server does not say where its workers are reached.")
        return await open_tunnel(self._api, urls.of_port(port))

    async def _socket(self, worker: AnyWorker, mode: str, params: Mapping[str, Any]) -> Any:
        from spunto.client.sockets import dial

        return await dial(self._api, f"/api/workers/{worker.id}/terminal", {"mode": mode, **params})


def workers_path(org_id: str, project_id: str) -> str:
    return f"/api/orgs/{org_id}/projects/{project_id}/workers"


def worker_path(worker: AnyWorker) -> str:
    return f"{workers_path(worker.org_id, worker.project_id)}/{worker.id}"
