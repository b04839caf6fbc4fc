"""A server, two edges and an agent on hosts of their own, with a worker whose port is reached through either edge."""

import base64
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from tests.chaos.hosts import Host, joined_hosts
from tests.fixtures.processes import START_SECONDS, Agent, Program, Server, agent_of, ended, server_of
from tests.fixtures.waiting import eventually
from tests.integration.journeys.boxes import cleared_away
from tests.integration.journeys.command_line import SPUNTO, CommandLine

PORT: Final = 3000
EDGE_PORT: Final = 8080
SESSION: Final = "session"
_ORIGIN: Final = base64.b64encode(Path(__file__).with_name("origin.py").read_bytes()).decode()
_PROJECT: Final = {
    "name": "served",
    "image": "localhost/spunto/worker:1",
    "postCreateCommand": f"echo {_ORIGIN} | base64 -d > /workspace/origin.py",
    "postStartCommand": f"setsid python3 /workspace/origin.py {PORT} </dev/null >/dev/null 2>&1 &",
}
_NAVIGATION: Final = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOn:
    """`name` is what `spunto edge create` was told."""

    name: str
    host: Host
    program: Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """`visitors` is where clients come from who bind that address."""

    visitors: Host
    server_host: Host
    server: Server
    edges: Sequence[EdgeOn]
    agent_host: Host
    agent: Agent
    worker: Mapping[str, Any]
    api: httpx.AsyncClient
    org: str

    @property
    def token(self) -> str:
        return self.server.owner_token

    @property
    def host(self) -> str:
        """Of the worker's port."""
        return f"worker-{self.worker['index']}-{self.worker['id'].partition('_')[2]}-{PORT}.w.localhost"

    @property
    def programs(self) -> Sequence[Program]:
        return [self.server, *(edge.program for edge in self.edges), self.agent]

    async def ask(self, edge: EdgeOn, path: str = "/", **headers: str) -> httpx.Response:
        """Raises httpx.TransportError."""
        async with httpx.AsyncClient(timeout=15) as client:
            return await client.get(
                f"http://{edge.host.address}:{EDGE_PORT}{path}", headers={"Host": self.host, **headers}
            )

    async def status(self, edge: EdgeOn, *, token: str) -> int:
        """0 where there is no answer."""
        try:
            return (await self.ask(edge, Authorization=f"Bearer {token}")).status_code
        except httpx.TransportError:
            return 0

    async def answers(self, edge: EdgeOn, *, token: str | None = None) -> bool:
        return await self.status(edge, token=token or self.token) == httpx.codes.OK

    async def new_key(self) -> tuple[str, str]:
        """An API key that opens ports: its id and its token."""
        scopes = ["org:read", "workers:exec"]
        made = await self.api.post(f"{self.org}/api-keys", json={"name": "CI", "ownerType": "user", "scopes": scopes})
        shown = made.raise_for_status().json()
        return shown["id"], shown["token"]

    async def revoke(self, key_id: str) -> None:
        (await self.api.delete(f"{self.org}/api-keys/{key_id}")).raise_for_status()

    async def enter(self, edge: EdgeOn) -> str:
        """The cookie of a browser that goes to the port, signs in at the server, and comes back."""
        first = await self.ask(edge, "/", **_NAVIGATION)
        assert first.has_redirect_location, first.text
        there = urlsplit(first.headers["location"])
        code = await self.api.get(f"{there.path}?{there.query}", headers={"Cookie": f"{SESSION}={self.token}"})
        assert code.has_redirect_location, code.text
        back = urlsplit(code.headers["location"])
        entered = await self.ask(edge, f"{back.path}?{back.query}", Cookie=_cookies(first), **_NAVIGATION)
        assert entered.has_redirect_location, entered.text
        return _cookies(entered)

    async def node_runs(self) -> bool:
        """Whether the server reaches the worker through its node's agent."""
        try:
            done = await self.api.post(f"{self.org}/workers/{self.worker['id']}/exec", json={"command": ["true"]})
        except httpx.TransportError:
            return False
        return done.is_success


@asynccontextmanager
async def running_region(directory: Path, engine_url: str) -> AsyncIterator[Region]:
    """The worker's port answers at both edges, by relays; nothing comes in to the agent's host."""
    with joined_hosts(5) as (visitors, server_host, first, second, agent_host):
        agent_host.accept_nothing()
        server = _server(directory / "server", server_host)
        with ended([server]):
            server.start()
            server.wait_ready()
            edges = [_edge(directory, name, host, server) for name, host in (("one", first), ("two", second))]
            agent = agent_of(
                server,
                engine_url,
                directory / "agent",
                inside=agent_host.inside,
                environment={"SPUNTO_AGENT_EDGE_HOSTS": f"{first.address},{second.address}"},
            )
            with cleared_away(engine_url, server.agent_token_file), ended([*(edge.program for edge in edges), agent]):
                for program in (*(edge.program for edge in edges), agent):
                    program.start()
                async with _api(server) as api:
                    org = f"/api/orgs/{(await api.get('/api/orgs')).json()['items'][0]['id']}"
                    region = Region(
                        visitors=visitors,
                        server_host=server_host,
                        server=server,
                        edges=edges,
                        agent_host=agent_host,
                        agent=agent,
                        worker=await _worker(api, org),
                        api=api,
                        org=org,
                    )
                    for edge in edges:
                        await eventually(
                            lambda: region.answers(edge),  # noqa: B023
                            seconds=START_SECONDS,
                            what=f"{edge.name}\n{edge.program.tail()}\n{agent.tail()}",
                        )
                    yield region


def _server(directory: Path, host: Host) -> Server:
    server = server_of(directory, environment={"SPUNTO_HOST": host.address})
    server.command = [*host.inside, *server.command]
    server.url = server.url.replace("127.0.0.1", host.address)
    return server


def _edge(directory: Path, name: str, host: Host, server: Server) -> EdgeOn:
    cli = CommandLine(home=directory / "home")
    token_file = directory / f"{name}.token"
    token_file.touch(mode=0o600)
    made = cli.run("edge", "create", name, SPUNTO_DATA_DIR=str(server.data_dir), SPUNTO_CONFIG="none.toml")
    token_file.write_text(made.out)
    program = Program(
        name=f"edge {name}",
        command=[*host.inside, SPUNTO, "edge"],
        environment={
            "SPUNTO_EDGE_HOST": host.address,
            "SPUNTO_EDGE_PORT": str(EDGE_PORT),
            "SPUNTO_EDGE_SERVER": server.url,
            "SPUNTO_EDGE_TOKEN_FILE": str(token_file),
            "SPUNTO_EDGE_LOG_FORMAT": "json",
        },
        log=directory / f"edge-{name}.log",
    )
    return EdgeOn(name=name, host=host, program=program)


def _api(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {server.owner_token}"}, timeout=60)


async def _worker(api: httpx.AsyncClient, org: str) -> Mapping[str, Any]:
    project = (await api.post(f"{org}/projects", json=_PROJECT)).raise_for_status().json()
    workers = f"{org}/projects/{project['id']}/workers"

    async def spawned() -> Any:
        made = await api.post(workers, json={"name": "served"}, params={"wait": 50})
        return made.json() if made.is_success else None

    # The node may be on its way yet.
    return dict(await eventually(spawned, seconds=60, what="the worker is there"))


def _cookies(answer: httpx.Response) -> str:
    jar: SimpleCookie = SimpleCookie()
    for each in answer.headers.get_list("set-cookie"):
        jar.load(each)
    return "; ".join(f"{name}={each.value}" for name, each in jar.items() if each.value)


def listening_in(host: Host) -> str:
    """What listens on the host, beside its loopback."""
    done = subprocess.run([*host.inside, "ss", "-Hltn"], check=True, capture_output=True, text=True, timeout=10)
    return "\n".join(line for line in done.stdout.splitlines() if "127.0.0.1" not in line and "[::1]" not in line)
