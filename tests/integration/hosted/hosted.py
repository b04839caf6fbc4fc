"""A hosted Spunto as processes: two servers on one Postgres, two edges, and Caddy before them, set up by `deploy/`."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from tests.fixtures.processes import START_SECONDS, Program, Server, ended, free_port, server_of
from tests.fixtures.waiting import wait_until
from tests.integration.hosted.place import APP_DOMAIN, BASE_DOMAIN, DEPLOY, EDGES, Place, certificate_in
from tests.integration.journeys.command_line import CommandLine

# Caddy stands on this machine, like everything else here.
PROXIES: Final = "127.0.0.0/8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted(Place):
    servers: Sequence[Server]
    edges: Sequence[Program]
    caddy: Program
    cli: CommandLine
    database: Mapping[str, str]

    def start(self) -> None:
        """Start what does not run, and wait until all answer."""
        for server in self.servers:
            server.start()
        self.caddy.start()
        for server in self.servers:
            server.wait_ready()
        for edge in self.edges:
            edge.start()
        for edge in self.edges:
            wait_until(lambda: _leads_to_server(edge), seconds=START_SECONDS, what=edge.tail())  # noqa: B023
        wait_until(self._is_open, seconds=START_SECONDS, what=f"{self.url}/readyz\n{self.caddy.tail()}")

    def _is_open(self) -> bool:
        with contextlib.suppress(httpx.TransportError), self.client(token="") as client:
            return client.get("/readyz").is_success
        return False


@contextmanager
def running_hosted(directory: Path, database_url: str) -> Iterator[Hosted]:
    """Set up by the commands that the documentation names; ready, with an owner, and without a node."""
    cli = CommandLine(home=directory / "home")
    keyring, port, inner_port = directory / "keyring", free_port(), free_port()
    database = {"SPUNTO_DATABASE_URL": database_url, "SPUNTO_KEYRING": str(keyring)}
    cli.run("keys", "generate", code=0, **database)
    cli.run("db", "upgrade", code=0, **database)
    token = cli.run("db", "owner-token", code=0, **database).out.strip()
    servers = [_server(directory / f"server-{number}", database, port, inner_port) for number in (1, 2)]
    edges = [_edge(directory, name, cli, database, port, inner_port) for name in EDGES]
    certificate = certificate_in(directory)
    caddy = Program(
        name="caddy",
        command=[str(Path(sys.executable).with_name("caddy")), "run", "--config", str(DEPLOY / "Caddyfile")],
        environment={
            "APP_DOMAIN": APP_DOMAIN,
            "BASE_DOMAIN": BASE_DOMAIN,
            "CERTIFICATE": str(certificate.chain),
            "PRIVATE_KEY": str(certificate.key),
            "HTTP_PORT": str(free_port()),
            "HTTPS_PORT": str(port),
            "INNER_PORT": str(inner_port),
            "SERVERS": " ".join(server.url.removeprefix("http://") for server in servers),
            "EDGES": " ".join(_address(edge) for edge in edges),
            **{f"EDGE_{number}": _address(edge) for number, edge in enumerate(edges, 1)},
            "XDG_DATA_HOME": str(directory),
            "XDG_CONFIG_HOME": str(directory),
        },
        log=directory / "caddy.log",
    )
    hosted = Hosted(
        directory=directory,
        port=port,
        certificate=certificate,
        token=token,
        shown_port=f":{port}",
        address="127.0.0.1",
        servers=servers,
        edges=edges,
        caddy=caddy,
        cli=cli,
        database=database,
    )
    with ended([*servers, *edges, caddy]):
        hosted.start()
        yield hosted


def _server(directory: Path, database: Mapping[str, str], port: int, inner_port: int) -> Server:
    return server_of(
        directory,
        box=False,
        environment={
            **database,
            "SPUNTO_PUBLIC_URL": f"https://{APP_DOMAIN}:{port}",
            "SPUNTO_BASE_DOMAIN": BASE_DOMAIN,
            "SPUNTO_ALLOWED_HOSTS": f"127.0.0.1:{inner_port}",
            "SPUNTO_TRUSTED_PROXIES": PROXIES,
            "SPUNTO_REPLICA_URL": f"http://127.0.0.1:{free_port()}",
        },
    )


def _edge(
    directory: Path, name: str, cli: CommandLine, database: Mapping[str, str], port: int, inner_port: int
) -> Program:
    token_file = directory / f"{name}.token"
    token_file.touch(mode=0o600)
    token_file.write_text(cli.run("edge", "create", name, code=0, **database).out)
    return Program(
        name=name,
        command=[cli.program, "edge"],
        environment={
            "SPUNTO_EDGE_PORT": str(free_port()),
            "SPUNTO_EDGE_SERVER": f"http://127.0.0.1:{inner_port}",
            "SPUNTO_EDGE_URL": f"https://{name}.{APP_DOMAIN}:{port}",
            "SPUNTO_EDGE_TOKEN_FILE": str(token_file),
            "SPUNTO_EDGE_TRUSTED_PROXIES": PROXIES,
        },
        log=directory / f"{name}.log",
    )


def _address(edge: Program) -> str:
    return f"127.0.0.1:{edge.environment['SPUNTO_EDGE_PORT']}"


def _leads_to_server(edge: Program) -> bool:
    """Which it does once it knows from the server what is a worker's."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://{_address(edge)}/healthz").is_success
    return False
